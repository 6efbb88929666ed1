//! What stops a task, in the classes of the ProofRequest API.

use provost_artifacts::StoreError;
use provost_link::{Ended, Outcome};
use provost_scheduler::retry::FailureClass;

/// What stops a task: the store or the coordinator did not do what was asked, or the task itself failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the task waits for will never come.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// A task that this one depends on failed.
    #[error("{0} failed")]
    Child(String),
    /// The program, or a fault that was asked for.
    #[error("{message}")]
    Own {
        /// The class.
        class: FailureClass,
        /// What happened.
        message: String,
        /// Whether another attempt may succeed; `None` follows from the class.
        retryable: Option<bool>,
    },
}

impl TaskError {
    /// The program is at fault.
    pub(crate) fn program(message: impl Into<String>) -> Self {
        Self::own(FailureClass::ProgramFault, message)
    }

    /// A failure of the given class.
    pub(crate) fn own(class: FailureClass, message: impl Into<String>) -> Self {
        Self::Own {
            class,
            message: message.into(),
            retryable: None,
        }
    }

    /// Stable name of the error: its failure class.
    pub(crate) fn reason(&self) -> &'static str {
        self.class().reason()
    }

    /// The class that the coordinator is told.
    pub(crate) fn class(&self) -> FailureClass {
        match self {
            Self::Store(error)
                if error.is_transient() || matches!(error, StoreError::Denied { .. }) =>
            {
                FailureClass::StoreUnavailable
            }
            Self::Own { class, .. } => *class,
            _ => FailureClass::Transient,
        }
    }

    /// Whether another attempt may succeed.
    fn is_retryable(&self) -> bool {
        let by_class = !matches!(
            self.class(),
            FailureClass::ProgramFault | FailureClass::InvalidProof
        );
        match self {
            Self::Own { retryable, .. } => retryable.unwrap_or(by_class),
            _ => by_class,
        }
    }

    /// What the coordinator is told.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::Failed {
            class: self.reason().to_owned(),
            retryable: self.is_retryable(),
            message: self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retryable(error: &TaskError) -> bool {
        matches!(
            error.outcome(),
            Outcome::Failed {
                retryable: true,
                ..
            }
        )
    }

    #[test]
    fn only_the_programs_faults_are_final_unless_said() {
        assert!(!retryable(&TaskError::program("x")));
        assert!(retryable(&TaskError::own(FailureClass::Bug, "x")));
        assert!(retryable(&TaskError::Child("x".to_owned())));
        assert!(!retryable(&TaskError::Own {
            class: FailureClass::Bug,
            message: String::new(),
            retryable: Some(false),
        }));
    }
}
