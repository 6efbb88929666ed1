//! What went wrong with a task, in the classes of the ProofRequest API.

pub use provost_link::FailureClass;
use sp1_core_executor::ExecutionError;
use sp1_prover::worker::TaskError;

/// A failed task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub class: FailureClass,
    /// What happened, for people.
    pub message: String,
    /// The SP1 task type, for example `PROVE_SHARD`.
    pub task_type: String,
    /// Whether another attempt may succeed.
    pub retryable: bool,
    /// Whether it makes the process doubtful: SP1's machinery broke, or computed wrongly.
    pub doubtful: bool,
}

/// SP1 reports faults of an executed chunk as text behind this prefix.
const CHUNK_PREFIX: &str = "failed to execute chunk: ";

/// How SP1 reports that the process in which it executes did not come up, or was ended by other than the program.
const CHILD_BROKE: [&str; 3] = [
    "failed to spawn child process",
    "failed sending input to child",
    "Child native executor",
];

/// What a panic in a part of SP1 that runs by itself is reported as.
const PANICKED: &str = "panicked";

/// What SP1 says where it gets no memory, of a GPU or of the machine. It has no other words for a GPU that fails meanwhile.
const NOT_ALLOCATED: [&str; 4] = [
    "allocation failed",
    "AllocError",
    "value: OutOfMemory",
    "out of GPU memory",
];

/// A task that SP1's pipelines lost, where their error says no more.
pub const PIPELINE_BROKE: &str = "the proving pipeline broke";

/// How SP1 says, where it only executes, that a proof in the input does not verify.
const DEFERRED: [&str; 2] = ["deferred proof", "failed verification"];

/// How the store says that it has no such object.
const NOT_STORED: &str = "is not in the store";

/// How SP1 reports that what it just proved does not verify.
const NOT_VERIFIED: [&str; 3] = [
    "shard verification failed",
    "compress verify failed",
    "lift/deferred verify failed",
];

impl Failure {
    /// A failure of `class`; only ProgramFault is final at once.
    pub fn new(class: FailureClass, task_type: &str, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            task_type: task_type.to_owned(),
            retryable: class != FailureClass::ProgramFault,
            doubtful: false,
        }
    }

    /// SP1 broke: the task goes to another worker, and this process is to be replaced.
    pub fn broke(task_type: &str, message: impl Into<String>) -> Self {
        Self {
            doubtful: true,
            ..Self::new(FailureClass::NodeLost, task_type, message)
        }
    }

    /// A panic. SP1 panics over a store that gives it nothing, too: that says nothing of the process.
    pub fn from_panic(task_type: &str, message: &str) -> Self {
        let class = store_class(message);
        if class == FailureClass::StoreUnavailable || message.contains(NOT_STORED) {
            return Self::new(class, task_type, message);
        }
        match lacks_memory(message) {
            true => {
                let what = match cfg!(feature = "gpu") {
                    true => "the GPU has no memory left for SP1, or it fails",
                    false => "the machine has no memory left for SP1",
                };
                Self::broke(task_type, format!("{message} ({what})"))
            }
            false => Self::broke(task_type, message),
        }
    }

    /// A failure that no retry on this kind of worker can cure.
    pub fn fatal(class: FailureClass, task_type: &str, message: impl Into<String>) -> Self {
        Self {
            retryable: false,
            ..Self::new(class, task_type, message)
        }
    }

    /// Sorts what SP1 returned for a task of `task_type`.
    pub fn from_task_error(task_type: &str, error: &TaskError) -> Self {
        match error {
            TaskError::Execution(ExecutionError::Other(text)) if text.contains(PANICKED) => {
                Self::from_panic(task_type, text)
            }
            TaskError::Execution(error) => {
                Self::new(execution_class(error), task_type, error.to_string())
            }
            TaskError::Retryable(error) => {
                let message = format!("{error:#}");
                if NOT_VERIFIED.iter().any(|said| message.contains(said)) {
                    return Self {
                        doubtful: true,
                        ..Self::new(FailureClass::InvalidProof, task_type, message)
                    };
                }
                let class = if message.contains("killed") {
                    FailureClass::OutOfMemory
                } else {
                    store_class(&message)
                };
                Self::new(class, task_type, message)
            }
            TaskError::Fatal(error) => Self::from_fatal(task_type, &format!("{error:#}")),
        }
    }

    fn from_fatal(task_type: &str, message: &str) -> Self {
        let program_fault = message.contains(CHUNK_PREFIX)
            || message.contains("cycle limit exceeded")
            || message.contains("failed to dissassemble program")
            || message.contains(crate::artifacts::stdin::INVALID_STDIN)
            || DEFERRED.iter().all(|said| message.contains(said));
        if program_fault {
            let text = message
                .rsplit_once(CHUNK_PREFIX)
                .map_or(message, |(_, text)| text);
            // An exit code may be the program's doing.
            if CHILD_BROKE.iter().any(|said| text.contains(said)) && !text.contains("code: Some(") {
                return Self::new(FailureClass::Transient, task_type, text);
            }
            return Self::new(FailureClass::ProgramFault, task_type, text);
        }
        if message.contains(crate::artifacts::INVALID_PROOF) {
            return Self::new(FailureClass::InvalidProof, task_type, message);
        }
        if message.contains(PANICKED) || message.contains(PIPELINE_BROKE) {
            return Self::from_panic(task_type, message);
        }
        Self::new(store_class(message), task_type, message)
    }
}

/// Whether SP1 says that it got no memory.
pub fn lacks_memory(message: &str) -> bool {
    NOT_ALLOCATED.iter().any(|said| message.contains(said))
}

/// Faults of the store come as text; ours carry this marker.
fn store_class(message: &str) -> FailureClass {
    if message.contains(crate::artifacts::STORE_UNAVAILABLE) {
        FailureClass::StoreUnavailable
    } else {
        FailureClass::Transient
    }
}

/// Which execution errors are the program's own.
fn execution_class(error: &ExecutionError) -> FailureClass {
    match error {
        ExecutionError::KilledByMemoryMonitor(_) | ExecutionError::ChildKilled() => {
            FailureClass::OutOfMemory
        }
        // SP1 turns store and network faults of CoreExecute into this one: infrastructure, unless the text says more.
        ExecutionError::Other(text) if text.contains("dissassemble") => FailureClass::ProgramFault,
        ExecutionError::Other(text) => store_class(text),
        ExecutionError::InvalidShardingState() => FailureClass::Bug,
        _ => FailureClass::ProgramFault,
    }
}
