//! What outlives the reactor: the interface to its durable state, which Kubernetes or memory implements.

mod memory;

use std::collections::BTreeMap;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use provost_proto::worker::TaskType;

use crate::Millis;
use crate::attempts::AttemptsByType;
use crate::failure::Failure;
use crate::ids::{ProofId, TaskId, WorkerId};
use crate::shards::ShardSize;

pub use memory::MemoryState;

/// The coordinator's durable state. The hot path only ever calls the methods that can not wait.
pub trait State: Send + Sync + 'static {
    /// Notes what happened to a task. Called in order, under the reactor's lock: it must neither wait nor call back.
    fn record(&self, change: TaskChange);

    /// Notes how far a proof is; the newest replaces all before. At most every 100 ms a proof. Must neither wait nor call back.
    fn progress(&self, progress: ProofProgress);

    /// No more is to be said of a proof: its outcome is stored, or it was forgotten. Must neither wait nor call back.
    fn settled(&self, proof: &ProofId) {
        let _ = proof;
    }

    /// Stores how a proof ended. The worker's CompleteProof or FailProof is acknowledged only once this returns `Ok` or [`StateError::Gone`]; after
    /// [`StateError::Unavailable`] it is called again, with growing waits, until it does. So it must be idempotent.
    fn finish_proof(&self, outcome: ProofOutcome) -> BoxFuture<'_, Result<(), StateError>>;

    /// Stores that a run of a proof begins, before any worker sees its root. Called again like [`State::finish_proof`]. A later leader recovers the
    /// proof with what was stored here. A proof that is there already need not be made again: whoever made it may have been lost before it could say so.
    fn begin_run(&self, start: RunStart) -> BoxFuture<'_, Result<Begun, StateError>> {
        let _ = start;
        futures::future::ready(Ok(Begun::Stored)).boxed()
    }

    /// A run does not begin after all, whether it was stored or not: its proof was forgotten, or ended, before that was known.
    fn abandon_run(&self, start: RunStart) -> BoxFuture<'_, ()> {
        let _ = start;
        futures::future::ready(()).boxed()
    }
}

/// A run of a proof that is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStart {
    /// The proof.
    pub proof: ProofId,
    /// Counted from 0.
    pub run: u32,
    /// Its root task.
    pub root: TaskId,
    /// That task's type.
    pub root_type: TaskType,
    /// Attempts that failed before, over all runs. A later leader goes on counting from there.
    pub attempts: AttemptsByType,
    /// How large its shards are; `None` where it has none.
    pub shards: Option<ShardSize>,
}

/// What became of a run that was to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is stored: workers may see it.
    Stored,
    /// An earlier run has made the proof, which was verified: there is nothing to run.
    Made,
}

/// Why an outcome was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Try again later.
    #[error("the outcome could not be stored: {0}")]
    Unavailable(String),
    /// Try again later: somebody must change something first, and is told so.
    #[error("{0}")]
    Refused(String),
    /// Nobody waits for the outcome any more: the proof was deleted, or ended otherwise. Not tried again.
    #[error("the proof is gone: {0}")]
    Gone(String),
}

impl StateError {
    /// Stable CamelCase name.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "StateUnavailable",
            Self::Refused(_) => "StateRefused",
            Self::Gone(_) => "ProofGone",
        }
    }
}

/// Something that happened to a task. Markers, which no worker runs, are not told of.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskChange {
    /// The proof that it belongs to.
    pub proof: ProofId,
    /// The task.
    pub task: TaskId,
    /// Its type.
    pub task_type: TaskType,
    /// When.
    pub at: Millis,
    /// What.
    pub kind: TaskChangeKind,
}

/// What happened to a task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskChangeKind {
    /// It exists, and waits.
    Created {
        /// Memory that it needs, in GiB.
        weight: u32,
        /// Whether it is the proof's root.
        root: bool,
        /// Which run of the proof it belongs to, counted from 0.
        run: u32,
    },
    /// A worker has it.
    Assigned {
        /// The worker.
        worker: WorkerId,
        /// Which attempt this is, counted from 1.
        attempt: u32,
    },
    /// The attempt ended without a result; it waits for another.
    Requeued {
        /// Why.
        failure: Failure,
        /// Not tried again before then.
        not_before: Millis,
    },
    /// Nothing failed: it is to be run again because a person said so, and waits for that.
    Recalled,
    /// It is done.
    Succeeded {
        /// What the worker said of the run: JSON, or empty.
        metadata: String,
        /// How long it held a GPU, in milliseconds, by the same word; 0 where it held none.
        gpu_ms: u64,
    },
    /// It is given up.
    Failed(Failure),
    /// It is not needed any more: its proof ended, or began again.
    Dropped,
}

/// How far a proof is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofProgress {
    /// The proof.
    pub proof: ProofId,
    /// How often it was begun again.
    pub run: u32,
    /// Tasks by type and state, in this run.
    pub tasks: BTreeMap<&'static str, Counts>,
    /// Tasks that succeeded, markers left out.
    pub done: u32,
    /// Tasks created so far, markers left out. It grows while the program executes.
    pub total: u32,
    /// When the root was first given to a worker.
    pub started_at: Option<Millis>,
    /// How long its tasks held GPUs, in milliseconds, all runs together: those that succeeded, as far as their workers say.
    pub gpu_ms: u64,
    /// How large this run's shards are; `None` where it has none.
    pub shards: Option<ShardSize>,
}

/// Tasks of one type by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting for a worker.
    pub pending: u32,
    /// With a worker.
    pub running: u32,
    /// Done.
    pub succeeded: u32,
    /// Given up.
    pub failed: u32,
}

impl Counts {
    /// All of them.
    pub const fn total(&self) -> u32 {
        self.pending + self.running + self.succeeded + self.failed
    }
}

/// How a proof ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ProofOutcome {
    /// The proof.
    pub proof: ProofId,
    /// How.
    pub result: ProofResult,
    /// How far it was.
    pub progress: ProofProgress,
    /// When it was submitted, by the submitter's word.
    pub created_at: Millis,
    /// When the outcome came about.
    pub finished_at: Millis,
}

/// The three ways for a proof to end.
#[derive(Clone, Debug, PartialEq)]
pub enum ProofResult {
    /// The proof is stored.
    Succeeded {
        /// What the worker said of it: JSON, or empty.
        extra_data: String,
    },
    /// There will be none.
    Failed {
        /// Why.
        failure: Failure,
        /// What the worker said of it: JSON, or empty.
        extra_data: String,
    },
    /// It is not wanted any more.
    Cancelled {
        /// For people.
        reason: String,
    },
}
