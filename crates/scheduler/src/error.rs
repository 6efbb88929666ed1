//! What can be wrong with a call.

/// Why the scheduler did not do what it was asked. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The key names no tenant, or one that is gone.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// The key names no proof, or one that is gone.
    #[error("there is no such proof")]
    UnknownProof,
    /// The key names no task, or one that is gone.
    #[error("there is no such task")]
    UnknownTask,
    /// The key names no worker, or one that is gone.
    #[error("there is no such worker")]
    UnknownWorker,
    /// The key names nothing that a worker holds.
    #[error("no worker holds this")]
    UnknownHold,
    /// The tenant still has proofs or room on workers, or the proof still has tasks.
    #[error("it is still in use")]
    InUse,
    /// The task is already with a worker, or not known to wait.
    #[error("the task does not wait")]
    NotWaiting,
    /// The task is in the queue: it has not been tried.
    #[error("the task waits already")]
    AlreadyWaiting,
}

impl Refused {
    /// Stable CamelCase name.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::UnknownTenant => "UnknownTenant",
            Self::UnknownProof => "UnknownProof",
            Self::UnknownTask => "UnknownTask",
            Self::UnknownWorker => "UnknownWorker",
            Self::UnknownHold => "UnknownHold",
            Self::InUse => "InUse",
            Self::NotWaiting => "NotWaiting",
            Self::AlreadyWaiting => "AlreadyWaiting",
        }
    }
}
