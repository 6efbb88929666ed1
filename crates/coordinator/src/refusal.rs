//! Why the coordinator declines a call.

use crate::ids::{ProofId, SubId, TaskId, WorkerId};

/// Why the coordinator declines a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The worker is not registered: it should open again.
    #[error("worker {0} is not registered: open again")]
    UnknownWorker(WorkerId),
    /// The worker's stream is broken: it should open again. What it reported was taken note of.
    #[error("worker {0} has no stream: open again")]
    NoStream(WorkerId),
    /// There is no such proof.
    #[error("there is no proof {0}")]
    UnknownProof(ProofId),
    /// The proof has ended.
    #[error("proof {0} has ended")]
    ProofEnded(ProofId),
    /// There is no such task.
    #[error("there is no task {0}")]
    UnknownTask(TaskId),
    /// The proof was begun again, and the call belongs to an earlier run. Nothing is wrong: that run's work is not needed any more.
    #[error("an earlier run of proof {0} is over")]
    RunOver(ProofId),
    /// There is no such subscription: it should be opened again.
    #[error("there is no subscription {0}: open it again")]
    UnknownSub(SubId),
    /// The id belongs to something else.
    #[error("{0} is taken")]
    IdTaken(String),
    /// The call makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The task sent more than its channel may hold.
    #[error("the message channel of task {0} is full")]
    ChannelFull(TaskId),
    /// This replica does not lead.
    #[error("this replica does not lead")]
    NotLeading,
    /// Someone knows a leader of a later epoch.
    #[error("a leader of epoch {0} is known")]
    Outdated(u64),
    /// The outcome is not stored yet: repeat the call.
    #[error("the outcome of proof {0} is not stored yet: repeat the call")]
    NotStored(ProofId),
}

impl Refusal {
    /// Stable CamelCase name: a metric label, and the `provost-reason` of the answer.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UnknownWorker(_) => "UnknownWorker",
            Self::NoStream(_) => "NoStream",
            Self::UnknownProof(_) => "UnknownProof",
            Self::ProofEnded(_) => "ProofEnded",
            Self::UnknownTask(_) => "UnknownTask",
            Self::RunOver(_) => "RunOver",
            Self::UnknownSub(_) => "UnknownSub",
            Self::IdTaken(_) => "IdTaken",
            Self::Invalid(_) => "Invalid",
            Self::ChannelFull(_) => "ChannelFull",
            Self::NotLeading => "NotLeading",
            Self::Outdated(_) => "Outdated",
            Self::NotStored(_) => "NotStored",
        }
    }
}
