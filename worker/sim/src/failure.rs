//! What went wrong with a task, in the classes of the ProofRequest API.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use provost_artifacts::StoreError;
use provost_proto::worker::TaskType;
use serde::{Deserialize, Serialize};
use tonic::Status;

/// Everything but unreserved characters: any text becomes a valid gRPC ASCII header.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The failure classes; the names are those of `status.failure.class`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureClass {
    /// The pod was told to go.
    Preempted,
    /// The worker vanished.
    NodeLost,
    /// Killed for want of memory.
    OutOfMemory,
    /// The artifact store did not answer.
    StoreUnavailable,
    /// A fault that a retry may cure.
    Transient,
    /// It took longer than it may.
    Timeout,
    /// The user's program is at fault; a retry gives the same result.
    ProgramFault,
    /// The proof that came out does not verify.
    InvalidProof,
    /// A fault of the worker itself.
    Bug,
}

/// A failed task, as it travels to the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// The class.
    pub class: FailureClass,
    /// What happened, for people.
    pub message: String,
    /// The SP1 task type, for example `PROVE_SHARD`.
    pub task_type: &'static str,
    /// Whether another attempt may succeed.
    #[serde(skip)]
    pub retryable: bool,
}

impl Failure {
    /// A failure of `class`; only ProgramFault and InvalidProof are final at once.
    pub(crate) fn new(class: FailureClass, task: TaskType, message: impl Into<String>) -> Self {
        let retryable = !matches!(
            class,
            FailureClass::ProgramFault | FailureClass::InvalidProof
        );
        Self {
            class,
            message: message.into(),
            task_type: task.as_str_name(),
            retryable,
        }
    }

    /// The header value that carries this failure on `FailTask`: JSON, percent-encoded.
    pub(crate) fn to_header(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        utf8_percent_encode(&json, ENCODED).to_string()
    }
}

/// What stops a task: the store or the coordinator did not do what was asked, or the task itself failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The coordinator.
    #[error("the coordinator declined: {}", .0.message())]
    Refused(#[from] Status),
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
        match self.class() {
            FailureClass::StoreUnavailable => "StoreUnavailable",
            FailureClass::ProgramFault => "ProgramFault",
            FailureClass::InvalidProof => "InvalidProof",
            FailureClass::OutOfMemory => "OutOfMemory",
            FailureClass::Preempted => "Preempted",
            FailureClass::NodeLost => "NodeLost",
            FailureClass::Timeout => "Timeout",
            FailureClass::Bug => "Bug",
            FailureClass::Transient => "Transient",
        }
    }

    /// The class that the coordinator is told.
    pub(crate) fn class(&self) -> FailureClass {
        match self {
            Self::Store(error) if error.is_transient() => FailureClass::StoreUnavailable,
            Self::Own { class, .. } => *class,
            _ => FailureClass::Transient,
        }
    }

    /// The failure of a task of this type.
    pub(crate) fn of(&self, task: TaskType) -> Failure {
        let mut failure = Failure::new(self.class(), task, self.to_string());
        if let Self::Own {
            retryable: Some(retryable),
            ..
        } = self
        {
            failure.retryable = *retryable;
        }
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_ascii_json() {
        let failure = Failure::new(FailureClass::Transient, TaskType::ProveShard, "a \"b\" ä\n");
        let header = failure.to_header();
        assert!(header.bytes().all(|b| b.is_ascii_graphic()), "{header}");
        assert!(header.starts_with("%7B%22class%22%3A%22Transient%22"));
        assert!(failure.retryable);
        assert!(!TaskError::program("x").of(TaskType::CoreExecute).retryable);
    }
}
