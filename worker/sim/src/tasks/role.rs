//! The roles of a worker.

use provost_link::{TaskType, WorkerType};

/// Which tasks a worker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Controller, CoreExecute, ExecuteOnly and the wraps. A task is dropped when it is cancelled.
    Execute,
    /// Set-ups, shards, recursion. A task cannot be stopped half-way.
    Prove,
}

impl Role {
    /// The name by which the coordinator knows it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Prove => "prove",
        }
    }

    /// What it tells of itself.
    pub(crate) const fn class(self) -> WorkerType {
        match self {
            Self::Execute => WorkerType::Cpu,
            Self::Prove => WorkerType::Gpu,
        }
    }
}

/// Whether the task reports itself alone; roots conclude their proof as well.
pub(super) fn is_leaf(kind: TaskType) -> bool {
    !matches!(kind, TaskType::Controller | TaskType::ExecuteOnly)
}
