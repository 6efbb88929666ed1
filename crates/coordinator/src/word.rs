//! What workers say at the native door, checked and with its names in the coordinator's own types.

use bytes::Bytes;
use provost_proto::worker::{TaskStatus, TaskType, WorkerType};

use crate::Millis;
use crate::attempts::Attempts;
use crate::events::Device;
use crate::failure::Failure;
use crate::ids::{ProofId, TaskId};
use crate::shards::ShardSize;

/// One run of a proof.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunId {
    pub(crate) proof: ProofId,
    /// Counted from 0.
    pub(crate) run: u32,
}

/// One message of a worker.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    Hello(Hello),
    Role(Role),
    /// What its device has free, in bytes.
    DeviceMemory(u64),
    Report(Report),
    Beat {
        epoch: u64,
        sequence: u64,
    },
    Create(Child),
    Done(Done),
    Conclude(Conclusion),
    Watch {
        run: RunId,
        tasks: Vec<TaskId>,
    },
    Taken {
        run: RunId,
        tasks: Vec<TaskId>,
    },
    Say(Said),
    Listen(Listen),
    /// It takes no more tasks, and ends after that time, if it says one.
    Drain(Option<Millis>),
    /// Out of a report: it runs a task.
    Running(Running),
    /// Out of a report: it was told how a task ended.
    Known {
        run: RunId,
        task: TaskId,
        status: TaskStatus,
    },
    /// Out of a report: it created a task, and has not taken in the result.
    Created(Child),
    /// Out of a report: attempts at such a task that failed under an earlier leader.
    Counted {
        run: RunId,
        task: TaskId,
        attempts: Attempts,
    },
}

impl Word {
    /// The run that it speaks of.
    pub(crate) const fn run(&self) -> Option<&RunId> {
        match self {
            Self::Create(child) | Self::Created(child) => Some(&child.run),
            Self::Done(done) => Some(&done.run),
            Self::Conclude(conclusion) => Some(&conclusion.run),
            Self::Watch { run, .. }
            | Self::Taken { run, .. }
            | Self::Known { run, .. }
            | Self::Counted { run, .. } => Some(run),
            Self::Say(said) => Some(&said.run),
            Self::Listen(listen) => Some(&listen.run),
            Self::Running(running) => Some(&running.run),
            Self::Hello(_)
            | Self::Role(_)
            | Self::DeviceMemory(_)
            | Self::Report(_)
            | Self::Beat { .. }
            | Self::Drain(_) => None,
        }
    }
}

/// A process introduces itself.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    pub(crate) pod: String,
    pub(crate) process: Process,
    pub(crate) version: String,
    /// Of SP1's circuits; empty if it does not say.
    pub(crate) sp1_version: String,
    /// The highest epoch that it has seen.
    pub(crate) epoch: u64,
    /// Whether its node may be taken away at short notice.
    pub(crate) spot: bool,
}

/// One process of a pod: two are never taken for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pod_uid: String,
    pub(crate) number: u64,
}

/// A role that a process plays.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) kind: WorkerType,
    /// GiB.
    pub(crate) max_weight: u32,
    /// How many tasks it proves at once, if it says so.
    pub(crate) provers: Option<u32>,
    /// What it proves on, if that is a GPU.
    pub(crate) device: Option<Device>,
    /// The largest shards that it proves.
    pub(crate) shards: ShardSize,
}

/// One part of what still counts on a worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) running: Vec<Running>,
    pub(crate) done: Vec<Done>,
    pub(crate) created: Vec<Child>,
    pub(crate) watches: Vec<(RunId, Vec<TaskId>)>,
    pub(crate) said: Vec<Said>,
    pub(crate) listens: Vec<Listen>,
    pub(crate) conclusions: Vec<Conclusion>,
    pub(crate) results: Vec<(RunId, TaskId, TaskStatus)>,
    pub(crate) counted: Vec<(RunId, TaskId, Attempts)>,
    pub(crate) last: bool,
}

/// A task that a worker runs.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) run: RunId,
    pub(crate) task: TaskId,
    pub(crate) attempt: u32,
    pub(crate) role: String,
    pub(crate) kind: TaskType,
    /// For how long.
    pub(crate) ran: Millis,
    /// It was told to stop, and has yet to.
    pub(crate) stopping: bool,
}

/// A task that a worker creates.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) run: RunId,
    pub(crate) task: TaskId,
    pub(crate) kind: TaskType,
    /// The encoded `TaskData`.
    pub(crate) data: Bytes,
}

/// The end of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) run: RunId,
    pub(crate) task: TaskId,
    /// 0 for a marker.
    pub(crate) attempt: u32,
    pub(crate) role: String,
    pub(crate) outcome: Outcome,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// With a result; JSON of the run.
    Completed(String),
    /// Without one.
    Failed { failure: Failure, retryable: bool },
    /// It was told to stop, or handed back.
    Stopped,
}

/// The root's word on how its proof ended.
#[derive(Clone, Debug)]
pub(crate) struct Conclusion {
    pub(crate) run: RunId,
    pub(crate) task: TaskId,
    /// Why there is no proof, where there is none.
    pub(crate) failure: Option<Failure>,
    pub(crate) extra_data: String,
}

/// Messages of a channel, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) run: RunId,
    pub(crate) task: TaskId,
    /// Number of the first.
    pub(crate) first: u64,
    pub(crate) payloads: Vec<Bytes>,
}

/// A reader of a channel.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    pub(crate) run: RunId,
    pub(crate) task: TaskId,
    /// The message that it wants first.
    pub(crate) from: u64,
}
