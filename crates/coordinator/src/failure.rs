//! Why tasks and proofs fail.

use provost_proto::worker::TaskType;
pub use provost_scheduler::retry::{FailureClass, UnknownClass};

use crate::ids::TaskId;

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

/// A task type by its name on the wire (`PROVE_SHARD`) or as users see it (`ProveShard`).
pub fn task_type(name: &str) -> Option<TaskType> {
    let shouted = name
        .chars()
        .enumerate()
        .fold(String::new(), |mut out, (i, c)| {
            let camel = !name.contains('_') && name.chars().any(char::is_lowercase);
            if camel && i > 0 && c.is_uppercase() {
                out.push('_');
            }
            out.push(c.to_ascii_uppercase());
            out
        });
    TaskType::from_str_name(&shouted)
}
