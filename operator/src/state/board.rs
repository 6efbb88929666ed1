//! How far proofs are, written to their status at most once a second, less often when they are many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use provost_coordinator::{Counts, ProofId, ProofProgress};
use provost_crds::{TaskCounts, TaskState};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::budget::Budget;
use super::shards;
use crate::controllers::proof_request::journal::Journal;
use crate::controllers::proof_request::status::{Change, Progress};
use crate::key::ProofKey;
use crate::leadership::Fence;
use crate::metrics::{Metrics, TaskLabels};
use crate::supervisor::Supervisor;

/// Time between two writes for the same proof.
const PERIOD: Duration = Duration::from_secs(1);
/// Writes at the same time.
const CONCURRENCY: usize = 4;
/// How long a proof of which nothing more is heard counts in the metrics.
const FORGET: Duration = Duration::from_secs(120);

/// The newest progress of each proof.
pub(super) struct Board {
    journal: Arc<Journal>,
    metrics: Metrics,
    budget: Arc<Budget>,
    fence: Fence,
    newest: Mutex<HashMap<ProofId, Post>>,
}

struct Post {
    progress: ProofProgress,
    at: Instant,
    written: bool,
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
            newest: Mutex::default(),
        }
    }

    /// Notes progress; never waits.
    pub(super) fn post(&self, progress: ProofProgress) {
        let post = Post {
            at: Instant::now(),
            written: false,
            progress,
        };
        self.newest().insert(post.progress.proof.clone(), post);
    }

    /// The proof has ended.
    pub(super) fn remove(&self, proof: &ProofId) {
        self.newest().remove(proof);
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
        let due: Vec<ProofProgress> = {
            let mut newest = self.newest();
            newest.retain(|_, post| !post.written || post.at.elapsed() < FORGET);
            self.count(&newest);
            let fresh = newest.values_mut().filter(|post| !post.written);
            fresh
                .map(|post| {
                    post.written = true;
                    post.progress.clone()
                })
                .collect()
        };
        stream::iter(due)
            .for_each_concurrent(CONCURRENCY, |progress| self.write(progress))
            .await;
    }

    async fn write(&self, progress: ProofProgress) {
        let Some(key) = ProofKey::parse(&progress.proof) else {
            return;
        };
        self.budget.take().await;
        let change = Change::Progress(translate(&progress));
        if let Err(error) = self
            .journal
            .note(&key, &[change], Timestamp::now(), None)
            .await
        {
            tracing::warn!(proof = %key, %error, "progress was not written; tried again");
            if let Some(post) = self.newest().get_mut(&progress.proof) {
                post.written = false;
            }
        }
    }

    fn count(&self, newest: &HashMap<ProofId, Post>) {
        let mut counts: HashMap<TaskLabels, usize> = HashMap::new();
        for (task_type, tasks) in newest.values().flat_map(|post| &post.progress.tasks) {
            let states = [
                (TaskState::Pending, tasks.pending),
                (TaskState::Running, tasks.running),
                (TaskState::Succeeded, tasks.succeeded),
                (TaskState::Failed, tasks.failed),
            ];
            for (state, count) in states {
                let labels = TaskLabels {
                    task_type: (*task_type).to_owned(),
                    state: state.as_str(),
                };
                *counts.entry(labels).or_default() += count as usize;
            }
        }
        self.metrics.tasks.set(counts);
    }

    fn newest(&self) -> MutexGuard<'_, HashMap<ProofId, Post>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
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
