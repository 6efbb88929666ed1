//! Why tasks and proofs fail.

use std::fmt;
use std::str::FromStr;

use provost_proto::worker::TaskType;

use crate::ids::TaskId;

/// The kind of a failure. It decides whether a task is tried again, and is the reason that users, metrics and events show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureClass {
    /// The pod was told to go: drain, scale-down, spot reclaim, recycling.
    Preempted,
    /// The worker is gone or silent, for no known reason.
    NodeLost,
    /// The worker was killed for its memory.
    OutOfMemory,
    /// The artifact store did not answer for longer than the worker waits.
    StoreUnavailable,
    /// Something that another attempt may well not meet.
    Transient,
    /// A task or a proof took longer than it may.
    Timeout,
    /// The program or its input is at fault: every attempt ends the same.
    ProgramFault,
    /// A proof was made that does not verify.
    InvalidProof,
    /// Ours.
    Bug,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 9] = [
        Self::Preempted,
        Self::NodeLost,
        Self::OutOfMemory,
        Self::StoreUnavailable,
        Self::Transient,
        Self::Timeout,
        Self::ProgramFault,
        Self::InvalidProof,
        Self::Bug,
    ];

    /// Stable CamelCase name: a metric label, an event's and a condition's reason.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Preempted => "Preempted",
            Self::NodeLost => "NodeLost",
            Self::OutOfMemory => "OutOfMemory",
            Self::StoreUnavailable => "StoreUnavailable",
            Self::Transient => "Transient",
            Self::Timeout => "Timeout",
            Self::ProgramFault => "ProgramFault",
            Self::InvalidProof => "InvalidProof",
            Self::Bug => "Bug",
        }
    }

    /// Whether the class says that a worker went away, not that a task failed. Such attempts are counted apart from retries.
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::Preempted | Self::NodeLost | Self::OutOfMemory)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// Text that names no failure class.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a failure class")]
pub struct UnknownClass(String);

impl FromStr for FailureClass {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        Self::ALL
            .into_iter()
            .find(|class| class.reason() == text)
            .ok_or_else(|| UnknownClass(text.to_owned()))
    }
}

/// Why one attempt at a task, or a whole proof, failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub class: FailureClass,
    /// The task that failed, where one did.
    pub task: Option<TaskId>,
    /// Its type.
    pub task_type: Option<TaskType>,
    /// For people: what happened and what helps.
    pub message: String,
}

impl Failure {
    /// A failure that no task is named for yet.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            task: None,
            task_type: None,
            message: message.into(),
        }
    }

    /// The same failure, said of a task.
    #[must_use]
    pub fn of(mut self, task: TaskId, task_type: TaskType) -> Self {
        self.task = Some(task);
        self.task_type = Some(task_type);
        self
    }
}

/// Why the workers of a pod are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// [`FailureClass::Preempted`], [`FailureClass::NodeLost`] or [`FailureClass::OutOfMemory`].
    pub class: FailureClass,
    /// What to say of the place, such as `pool small, memory limit 3Gi`. May be empty.
    pub message: String,
}

impl Loss {
    /// A loss of the given class.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
        }
    }
}

/// The name of a task type as users see it: `RecursionReduce`.
pub fn task_name(task: TaskType) -> &'static str {
    match task {
        TaskType::UnspecifiedTaskType => "Unspecified",
        TaskType::Controller => "Controller",
        TaskType::ProveShard => "ProveShard",
        TaskType::RecursionReduce => "RecursionReduce",
        TaskType::RecursionDeferred => "RecursionDeferred",
        TaskType::ShrinkWrap => "ShrinkWrap",
        TaskType::SetupVkey => "SetupVkey",
        TaskType::MarkerDeferredRecord => "MarkerDeferredRecord",
        TaskType::PlonkWrap => "PlonkWrap",
        TaskType::Groth16Wrap => "Groth16Wrap",
        TaskType::ExecuteOnly => "ExecuteOnly",
        TaskType::CoreExecute => "CoreExecute",
        TaskType::UtilVkeyMapController => "UtilVkeyMapController",
        TaskType::UtilVkeyMapChunk => "UtilVkeyMapChunk",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_read_back_from_their_names() {
        for class in FailureClass::ALL {
            assert_eq!(class.reason().parse::<FailureClass>().unwrap(), class);
        }
        assert!("Other".parse::<FailureClass>().is_err());
    }
}
