//! How far proofs are, written to their status at most once a second, less often when they are many.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use provost_coordinator::{Counts, ProofId, ProofProgress};
use provost_crds::TaskCounts;
use tokio::time::{MissedTickBehavior, interval};

use super::budget::Budget;
use super::posts::Posts;
use super::shards;
use crate::controllers::proof_request::journal::Journal;
use crate::controllers::proof_request::status::{Change, Progress};
use crate::key::ProofKey;
use crate::leadership::Fence;
use crate::metrics::Metrics;
use crate::supervisor::Supervisor;

/// Time between two writes for the same proof.
const PERIOD: Duration = Duration::from_secs(1);
/// Writes at the same time.
const CONCURRENCY: usize = 4;

/// Writes the newest progress of each proof.
pub(super) struct Board {
    journal: Arc<Journal>,
    metrics: Metrics,
    budget: Arc<Budget>,
    fence: Fence,
    posts: Mutex<Posts>,
}

impl Board {
    pub(super) fn new(
        journal: Arc<Journal>,
        metrics: Metrics,
        budget: Arc<Budget>,
        fence: Fence,
    ) -> Self {
        Self {
            journal,
            metrics,
            budget,
            fence,
            posts: Mutex::default(),
        }
    }

    /// Notes progress; never waits.
    pub(super) fn post(&self, progress: ProofProgress) {
        self.posts().put(progress);
    }

    /// Nothing more is to be said of the proof.
    pub(super) fn settled(&self, proof: &ProofId) {
        self.posts().remove(proof);
    }

    /// Starts the writer.
    pub(super) fn spawn(this: &Arc<Self>, supervisor: &Supervisor) {
        let (board, shutdown) = (this.clone(), supervisor.shutdown());
        supervisor.spawn(async move {
            let mut ticks = interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => board.flush().await,
                    () = shutdown.cancelled() => return,
                }
            }
        });
    }

    async fn flush(&self) {
        // It may be another's to say how far they are.
        if !self.fence.holds() {
            return;
        }
        let due = {
            let mut posts = self.posts();
            self.metrics.tasks.set(posts.count());
            posts.take_due()
        };
        stream::iter(due)
            .for_each_concurrent(CONCURRENCY, |progress| self.write(progress))
            .await;
    }

    async fn write(&self, progress: ProofProgress) {
        let Some(key) = ProofKey::parse(&progress.proof) else {
            return;
        };
        self.budget.take_bytes(self.journal.bytes(&key)).await;
        let change = Change::Progress(translate(&progress));
        if let Err(error) = self
            .journal
            .note(&key, &[change], Timestamp::now(), None)
            .await
        {
            tracing::warn!(proof = %key, %error, "progress was not written; tried again");
            self.posts().put_back(&progress.proof);
        }
    }

    fn posts(&self) -> MutexGuard<'_, Posts> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The coordinator's progress in the terms of the API.
pub(super) fn translate(progress: &ProofProgress) -> Progress {
    Progress {
        run: progress.run,
        tasks: progress
            .tasks
            .iter()
            .map(|(name, counts)| ((*name).to_owned(), api_counts(counts)))
            .collect(),
        done: progress.done.into(),
        total: progress.total.into(),
        started_at: progress.started_at,
        gpu_ms: progress.gpu_ms,
        shards: progress.shards.map(shards::stored),
    }
}

fn api_counts(counts: &Counts) -> TaskCounts {
    let bounded = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    TaskCounts {
        pending: bounded(counts.pending),
        running: bounded(counts.running),
        succeeded: bounded(counts.succeeded),
        failed: bounded(counts.failed),
    }
}
