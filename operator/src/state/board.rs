//! How far proofs are, written to their status at most once a second, less often when they are many.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use provost_coordinator::{Clock, Counts, ProofId, ProofProgress};
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

/// Objects above this, in bytes, wait for one another.
const LARGE: usize = 64 << 10;

/// Proofs whose progress waits for that of others of their kind alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Small,
    Large,
}

impl Lane {
    fn of(bytes: usize) -> Self {
        if bytes > LARGE {
            Self::Large
        } else {
            Self::Small
        }
    }
}

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

    /// Starts the writers: one for the proofs whose objects are small, so that these do not wait for the others.
    pub(super) fn spawn(this: &Arc<Self>, supervisor: &Supervisor) {
        for lane in [Lane::Small, Lane::Large] {
            let (board, shutdown) = (this.clone(), supervisor.shutdown());
            supervisor.spawn(async move {
                tokio::select! {
                    () = board.write_on(lane) => {}
                    () = shutdown.cancelled() => {}
                }
            });
        }
    }

    async fn write_on(&self, lane: Lane) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // It may be another's to say how far they are.
            if !self.fence.holds() {
                continue;
            }
            if lane == Lane::Small {
                self.metrics.tasks.set(self.posts().count());
            }
            let due = self.posts().due();
            let keyed = due.into_iter().filter_map(|proof| {
                let key = ProofKey::parse(&proof)?;
                let bytes = self.journal.bytes(&key);
                (Lane::of(bytes) == lane).then_some((proof, key, bytes))
            });
            stream::iter(keyed)
                .for_each_concurrent(CONCURRENCY, |(proof, key, bytes)| async move {
                    self.budget.take_bytes(bytes).await;
                    self.write(&proof, &key).await;
                })
                .await;
        }
    }

    /// What is written is what is newest now: the budget may have taken its time.
    async fn write(&self, proof: &ProofId, key: &ProofKey) {
        if !self.fence.holds() {
            return;
        }
        let Some(progress) = self.posts().take(proof) else {
            return;
        };
        let change = Change::Progress(translate(&progress));
        if let Err(error) = self
            .journal
            .note(key, &[change], Timestamp::now(), None)
            .await
        {
            tracing::warn!(proof = %key, %error, "progress was not written; tried again");
            self.posts().put_back(proof);
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
        started_at: progress.started_at.map(|at| Clock::of_process().wall(at)),
        lasted_ms: None,
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
