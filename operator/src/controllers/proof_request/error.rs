//! What goes wrong with a request, step by step, and what follows from it.

use provost_crds::{Failure, FailureClass, reasons};

use super::collect::CollectError;
use super::prepare::PrepareError;
use super::resolve::ResolveError;
use super::submit::SubmitError;
use super::validate::ValidateError;
use crate::api::ApiError;

/// An error of the pipeline, by step.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// Reading what the spec refers to.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Checking the spec.
    #[error(transparent)]
    Validate(#[from] ValidateError),
    /// Storing the inputs.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// Giving the proof to the coordinator.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// Removing what the proof left.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// Reading or writing the request itself.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// What an error means for the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Only another spec would help: the request fails.
    Fails(Box<Failure>),
    /// It waits, with this reason and message in its condition, and is tried again.
    Waits {
        /// Reason of the condition.
        reason: &'static str,
        /// Message of the condition.
        message: String,
    },
    /// It is tried again and the user need not know.
    Retries,
}

impl ProofError {
    /// Stable name of the error: metric label, event reason, condition reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Resolve(error) => error.reason(),
            Self::Validate(error) => error.reason(),
            Self::Prepare(error) => error.reason(),
            Self::Submit(error) => error.reason(),
            Self::Collect(error) => error.reason(),
            Self::Api(error) => error.reason(),
        }
    }

    /// What the error means for the request.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Validate(_) => fault(self),
            Self::Prepare(error) if error.is_fault() => fault(self),
            Self::Prepare(error) if error.is_store() => waits(reasons::STORE_UNAVAILABLE, error),
            Self::Submit(error) if error.is_store() => waits(reasons::STORE_UNAVAILABLE, error),
            Self::Resolve(ResolveError::Api(_)) | Self::Api(_) | Self::Collect(_) => {
                Verdict::Retries
            }
            Self::Resolve(error) => waits(error.reason(), error),
            Self::Prepare(_) | Self::Submit(_) => Verdict::Retries,
        }
    }
}

fn fault(error: &ProofError) -> Verdict {
    let message = error.to_string();
    Verdict::Fails(Box::new(Failure {
        class: FailureClass::ProgramFault,
        task: None,
        task_type: None,
        message,
    }))
}

fn waits(reason: &'static str, error: &dyn std::error::Error) -> Verdict {
    Verdict::Waits {
        reason,
        message: format!("{error}; tried again until it works"),
    }
}
