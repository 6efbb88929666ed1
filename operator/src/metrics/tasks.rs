//! Metrics of tasks: how they stand, how long they wait, why they fail, and how far their objects are.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use provost_coordinator::Clock;

use super::labels::{TaskFailureLabels, TaskLabels, TaskTypeLabels};
use super::{gauge, replace};

/// How far the objects of tasks are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriterState {
    /// Objects that are behind.
    pub waiting: usize,
    /// Since when the oldest of them is, in milliseconds of [`Clock`].
    pub oldest: Option<i64>,
    /// Objects of tasks that go on, roots left out.
    pub objects: usize,
    /// Changes so far that became part of a write that was due already.
    pub coalesced: u64,
}

/// What goes on with tasks. Clones share the same values.
#[derive(Clone)]
pub struct TaskMetrics {
    tasks: Family<TaskLabels, Gauge>,
    wait_seconds: Family<TaskTypeLabels, Histogram, fn() -> Histogram>,
    gpu_seconds: Family<TaskTypeLabels, Counter<f64, AtomicU64>>,
    failures: Family<TaskFailureLabels, Counter>,
    recalls: Counter,
    waiting: Gauge,
    oldest: Gauge,
    objects: Gauge,
    coalesced: Counter,
}

impl TaskMetrics {
    pub(super) fn new() -> Self {
        let wait_seconds: Family<_, _, fn() -> Histogram> = Family::new_with_constructor(waits);
        Self {
            tasks: Family::default(),
            wait_seconds,
            gpu_seconds: Family::default(),
            failures: Family::default(),
            recalls: Counter::default(),
            waiting: Gauge::default(),
            oldest: Gauge::default(),
            objects: Gauge::default(),
            coalesced: Counter::default(),
        }
    }

    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "tasks",
            "Tasks of running proofs by type and state",
            self.tasks.clone(),
        );
        r.register_with_unit(
            "task_wait",
            "From the time that a task could run until a worker has it, by type",
            Unit::Seconds,
            self.wait_seconds.clone(),
        );
        r.register_with_unit(
            "task_gpu",
            "How long tasks that succeeded held a GPU, by type",
            Unit::Seconds,
            self.gpu_seconds.clone(),
        );
        r.register(
            "task_failures",
            "Attempts that failed, by class and type of task",
            self.failures.clone(),
        );
        r.register(
            "task_recalls",
            "Tasks that were stopped and queued again because somebody deleted their ProvingTask",
            self.recalls.clone(),
        );
        r.register(
            "task_writes_waiting",
            "ProvingTask writes that wait for the API server",
            self.waiting.clone(),
        );
        r.register(
            "task_writes_oldest_timestamp_seconds",
            "Since when the oldest of these waits, in Unix seconds; 0 if none does",
            self.oldest.clone(),
        );
        r.register(
            "task_objects",
            "ProvingTask objects of tasks that go on, roots left out",
            self.objects.clone(),
        );
        r.register(
            "task_writes_coalesced",
            "Changes of tasks that became part of a write that was due already",
            self.coalesced.clone(),
        );
    }

    /// How far the ProvingTask objects are.
    pub fn writer(&self, state: WriterState) {
        self.waiting.set(gauge(state.waiting));
        let wall = |at| Clock::of_process().wall(at);
        self.oldest
            .set(state.oldest.map_or(0, |at| wall(at) / 1000));
        self.objects.set(gauge(state.objects));
        let more = state.coalesced.saturating_sub(self.coalesced.get());
        self.coalesced.inc_by(more);
    }

    /// Replaces the counts of tasks by type and state.
    pub fn set(&self, counts: impl IntoIterator<Item = (TaskLabels, usize)>) {
        replace(&self.tasks, counts);
    }

    /// A task has held a GPU for so many milliseconds.
    pub fn held_gpu(&self, task_type: &'static str, millis: u64) {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52 ms")]
        let seconds = millis as f64 / 1000.0;
        let labels = TaskTypeLabels { task_type };
        self.gpu_seconds.get_or_create(&labels).inc_by(seconds);
    }

    /// A task has waited so many milliseconds for a worker.
    pub fn waited(&self, task_type: &'static str, millis: i64) {
        #[allow(clippy::cast_precision_loss, reason = "waits are far below 2^52 ms")]
        let seconds = millis.max(0) as f64 / 1000.0;
        let labels = TaskTypeLabels { task_type };
        self.wait_seconds.get_or_create(&labels).observe(seconds);
    }

    /// An attempt failed.
    pub fn failed(&self, class: &'static str, task_type: &'static str) {
        self.failures
            .get_or_create(&TaskFailureLabels { class, task_type })
            .inc();
    }

    /// A task was run again because somebody deleted its object.
    pub fn recalled(&self) {
        self.recalls.inc();
    }
}

fn waits() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 3.0, 13))
}
