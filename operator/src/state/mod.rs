//! The coordinator's durable state in Kubernetes: ProvingTask objects, progress and outcome of ProofRequests.
//!
//! What happens to tasks and how far proofs are goes through background writers, newest state first, and never holds up the
//! coordinator. How a proof ended is written before the worker that reports it gets its answer.

mod adopt;
pub mod attempts;
mod begin;
mod board;
pub mod budget;
mod entry;
mod finish;
mod fresh;
mod object;
mod outcome;
mod posts;
mod queue;
pub mod shards;
mod unstored;
mod waits;
mod writer;

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use kube::{Client, ResourceExt};
use provost_coordinator::{
    Begun, ProofId, ProofOutcome, ProofProgress, RecoveredProof, RunStart, State, StateError,
    TaskChange, Weights,
};
use provost_crds::ProvingTask;

use crate::controllers::proof_request::journal::Journal;
use crate::inputs::Inputs;
use crate::leadership::Fence;
use crate::metrics::Metrics;
use crate::supervisor::Supervisor;
use board::Board;
use budget::Budget;
pub use object::TaskObject;
use queue::Bounds;
use unstored::{Kind, Unstored};
use waits::Waits;
use writer::TaskWriter;

/// How much the operator writes to the API server for what goes on.
#[derive(Debug, Clone, Copy)]
pub struct Writes {
    /// Writes of tasks and of progress a second, all together.
    pub per_second: NonZeroU32,
    /// A task gets an object only if it runs for longer than this.
    pub horizon: Duration,
}

/// What the state works with.
pub struct Parts {
    /// The API server.
    pub client: Client,
    /// Writes the status of ProofRequests.
    pub journal: Arc<Journal>,
    /// The artifact store.
    pub inputs: Arc<Inputs>,
    /// Weights of tasks, as the coordinator counts them.
    pub weights: Weights,
    /// Whether this replica still leads.
    pub fence: Fence,
}

/// State in Kubernetes: what the coordinator tells is written down, and what people or an earlier leader did is taken in.
pub struct KubeState {
    tasks: Arc<TaskWriter>,
    board: Arc<Board>,
    waits: Waits,
    unstored: Unstored,
    /// Uids of the objects that were there when this replica began to lead.
    seen: Mutex<HashSet<String>>,
    parts: Parts,
}

impl KubeState {
    /// State that writes to the API server; its background writers are parts of the process; what is left at their end is the next leader's.
    pub fn start(
        parts: Parts,
        metrics: &Metrics,
        writes: Writes,
        budget: &Arc<Budget>,
        supervisor: &Supervisor,
    ) -> Arc<Self> {
        let bounds = Bounds {
            horizon_ms: i64::try_from(writes.horizon.as_millis()).unwrap_or(i64::MAX / 2),
            ..Bounds::default()
        };
        let tasks = TaskWriter::new(
            parts.client.clone(),
            metrics.clone(),
            budget.clone(),
            bounds,
            parts.fence.clone(),
        );
        let tasks = Arc::new(tasks);
        let board = Arc::new(Board::new(
            parts.journal.clone(),
            metrics.clone(),
            budget.clone(),
            parts.fence.clone(),
        ));
        TaskWriter::spawn(&tasks, supervisor);
        Board::spawn(&board, supervisor);
        Arc::new(Self {
            tasks,
            board,
            waits: Waits::new(metrics.tasks.clone()),
            unstored: Unstored::new(metrics.terms.clone()),
            seen: Mutex::default(),
            parts,
        })
    }
}

impl KubeState {
    /// Takes over the objects of an earlier leader's tasks: those of the proofs that go on stay until [`KubeState::recovered`] knows more, those
    /// that failed stay for people, and the others are deleted.
    pub fn adopt(&self, tasks: Vec<ProvingTask>, go_on: &[RecoveredProof]) {
        *self.seen() = tasks.iter().filter_map(ResourceExt::uid).collect();
        self.tasks.adopt(adopt::sort(tasks, go_on));
    }

    /// Objects that are there now: those that this leader knows nothing of are deleted, as soon as it can know of them.
    pub fn found(&self, tasks: Vec<ProvingTask>) {
        let found = adopt::strange(tasks, self.parts.fence.epoch(), &self.seen());
        if !found.is_empty() {
            self.tasks.found(found);
        }
    }

    /// All workers have reported to this leader: the objects of tasks that nobody named are deleted.
    pub fn recovered(&self) {
        self.tasks.recovered();
    }

    /// The objects that are there as far as this leader knows. One that no list has is deleted, whether or not a watch told of it.
    pub fn expected(&self) -> Vec<TaskObject> {
        self.tasks.expected()
    }

    /// Somebody deleted the object `uid` of `task`: it gets another when it runs again.
    pub fn vanished(&self, task: &str, uid: &str) {
        self.tasks.vanished(&task.into(), uid);
    }

    fn seen(&self) -> MutexGuard<'_, HashSet<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State for KubeState {
    fn record(&self, change: TaskChange) {
        self.waits.record(&change);
        self.tasks.record(change);
    }

    fn begin_run(&self, start: RunStart) -> BoxFuture<'_, Result<Begun, StateError>> {
        Box::pin(async move {
            let proof = start.proof.clone();
            let result = begin::begin(self, start).await;
            let why = result.as_ref().err();
            self.unstored.note(Kind::Run, &proof, why, now());
            result
        })
    }

    fn abandon_run(&self, start: RunStart) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Nobody waits for it any more.
            self.unstored.note(Kind::Run, &start.proof, None, now());
            begin::abandon(self, &start).await;
        })
    }

    fn progress(&self, progress: ProofProgress) {
        self.board.post(progress);
    }

    fn settled(&self, proof: &ProofId) {
        self.board.settled(proof);
    }

    fn finish_proof(&self, outcome: ProofOutcome) -> BoxFuture<'_, Result<(), StateError>> {
        Box::pin(async move {
            let proof = outcome.proof.clone();
            let result = finish::finish(self, outcome).await;
            let why = result.as_ref().err();
            self.unstored.note(Kind::Outcome, &proof, why, now());
            result
        })
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
