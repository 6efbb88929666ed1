//! What is counted of tasks: how long they wait for a worker, and why attempts fail.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use provost_coordinator::{TaskChange, TaskChangeKind, TaskId, task_name};

use crate::metrics::TaskMetrics;

/// Tasks that wait, and since when.
pub(super) struct Waits {
    metrics: TaskMetrics,
    since: Mutex<HashMap<TaskId, i64, RandomState>>,
}

impl Waits {
    pub(super) fn new(metrics: TaskMetrics) -> Self {
        Self {
            metrics,
            since: Mutex::default(),
        }
    }

    /// Follows a change.
    pub(super) fn record(&self, change: &TaskChange) {
        let task_type = task_name(change.task_type);
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        match &change.kind {
            TaskChangeKind::Created { .. } | TaskChangeKind::Recalled => {
                since.insert(change.task.clone(), change.at);
            }
            TaskChangeKind::Requeued {
                failure,
                not_before,
            } => {
                self.metrics.failed(failure.class.reason(), task_type);
                // The time that it is kept back is no wait for a worker.
                since.insert(change.task.clone(), change.at.max(*not_before));
            }
            TaskChangeKind::Assigned { .. } => {
                if let Some(since) = since.remove(&change.task) {
                    self.metrics.waited(task_type, change.at - since);
                }
            }
            TaskChangeKind::Failed(failure) => {
                self.metrics.failed(failure.class.reason(), task_type);
                since.remove(&change.task);
            }
            TaskChangeKind::Succeeded { gpu_ms, .. } => {
                if *gpu_ms > 0 {
                    self.metrics.held_gpu(task_type, *gpu_ms);
                }
                since.remove(&change.task);
            }
            TaskChangeKind::Dropped => {
                since.remove(&change.task);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::object::tests::{assigned, change, created, requeued};
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn waits_and_failures_are_counted_and_nothing_is_kept() {
        let metrics = Metrics::new();
        let waits = Waits::new(metrics.tasks.clone());
        let at = |at: i64, kind| {
            let mut change = change("t", kind);
            change.at = at;
            waits.record(&change);
        };
        at(1000, created(false));
        at(1500, assigned());
        at(2000, requeued());
        at(2600, assigned());
        at(3000, requeued());
        let done = |gpu_ms| TaskChangeKind::Succeeded {
            metadata: String::new(),
            gpu_ms,
        };
        at(3050, done(1500));
        at(3100, TaskChangeKind::Dropped);
        let text = metrics.render();
        for line in [
            "provost_task_wait_seconds_sum{task_type=\"ProveShard\"} 1.1",
            "provost_task_gpu_seconds_total{task_type=\"ProveShard\"} 1.5",
            "provost_task_wait_seconds_count{task_type=\"ProveShard\"} 2",
            "provost_task_failures_total{class=\"OutOfMemory\",task_type=\"ProveShard\"} 2",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(waits.since.lock().unwrap().is_empty());
    }
}
