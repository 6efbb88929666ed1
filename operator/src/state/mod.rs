//! The coordinator's durable state in Kubernetes: ProvingTask objects, progress and outcome of ProofRequests.
//!
//! What happens to tasks and how far proofs are goes through background writers, newest state first, and never holds up the
//! coordinator. How a proof ended is written before the worker that reports it gets its answer.

mod board;
mod finish;
mod object;
mod outcome;
mod queue;
mod writer;

use std::sync::Arc;

use futures::future::BoxFuture;
use kube::Client;
use provost_coordinator::{ProofOutcome, ProofProgress, State, StateError, TaskChange};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::controllers::proof_request::journal::Journal;
use crate::inputs::Inputs;
use crate::metrics::Metrics;
use board::Board;
pub use outcome::SP1_VERSION;
use writer::TaskWriter;

/// State in Kubernetes.
pub struct KubeState {
    tasks: Arc<TaskWriter>,
    board: Arc<Board>,
    journal: Arc<Journal>,
    inputs: Arc<Inputs>,
}

impl KubeState {
    /// State that writes through `client`; its background writers run on `tracker` until `shutdown`, then write what is left.
    pub fn start(
        client: Client,
        journal: Arc<Journal>,
        inputs: Arc<Inputs>,
        metrics: &Metrics,
        tracker: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let tasks = Arc::new(TaskWriter::new(client, metrics.clone()));
        let board = Arc::new(Board::new(journal.clone(), metrics.clone()));
        TaskWriter::spawn(&tasks, tracker, &shutdown);
        Board::spawn(&board, tracker, shutdown);
        Arc::new(Self {
            tasks,
            board,
            journal,
            inputs,
        })
    }
}

impl State for KubeState {
    fn record(&self, change: TaskChange) {
        self.tasks.record(change);
    }

    fn progress(&self, progress: ProofProgress) {
        self.board.post(progress);
    }

    fn finish_proof(&self, outcome: ProofOutcome) -> BoxFuture<'_, Result<(), StateError>> {
        Box::pin(finish::finish(self, outcome))
    }
}
