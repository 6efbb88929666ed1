//! The operator's Prometheus metrics: names, labels and help in one place.

mod labels;
mod tasks;
mod terms;

use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

pub use labels::{
    CodeLabels, ControllerLabels, DeviceLabels, KindLabels, PoolLabels, ReasonLabels,
    ReconcileLabels, RoleLabels, TaskLabels, WriteLabels,
};
pub use tasks::{TaskMetrics, WriterState};
pub use terms::TermMetrics;

/// All metrics. Clones share the same values.
#[derive(Clone)]
pub struct Metrics {
    registry: std::sync::Arc<Registry>,
    reconciles: Family<ReconcileLabels, Counter>,
    reconcile_seconds: Family<ControllerLabels, Histogram, fn() -> Histogram>,
    proofs: Family<ReasonLabels, Counter>,
    proof_seconds: Histogram,
    store_errors: Family<ReasonLabels, Counter>,
    status_writes: Family<WriteLabels, Counter>,
    api_responses: Family<CodeLabels, Counter>,
    /// Of tasks.
    pub tasks: TaskMetrics,
    /// Of leadership.
    pub terms: TermMetrics,
    workers: Family<RoleLabels, Gauge>,
    devices: Family<DeviceLabels, Gauge>,
    device_free: Family<DeviceLabels, Gauge>,
    pool_ready: Family<PoolLabels, Gauge>,
    pool_quarantined: Family<PoolLabels, Gauge>,
    worker_losses: Family<ReasonLabels, Counter>,
    http_requests: Family<ReasonLabels, Counter>,
    unreadable: Family<KindLabels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics, all zero.
    pub fn new() -> Self {
        let mut root = Registry::with_prefix("provost");
        let reconcile_seconds: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(seconds);
        let mut metrics = Self {
            registry: std::sync::Arc::new(Registry::default()),
            reconciles: Family::default(),
            reconcile_seconds,
            proofs: Family::default(),
            proof_seconds: Histogram::new(exponential_buckets(0.25, 2.0, 18)),
            store_errors: Family::default(),
            status_writes: Family::default(),
            api_responses: Family::default(),
            tasks: TaskMetrics::new(),
            terms: TermMetrics::new(),
            workers: Family::default(),
            devices: Family::default(),
            device_free: Family::default(),
            pool_ready: Family::default(),
            pool_quarantined: Family::default(),
            worker_losses: Family::default(),
            http_requests: Family::default(),
            unreadable: Family::default(),
        };
        metrics.register(&mut root);
        metrics.registry = std::sync::Arc::new(root);
        metrics
    }

    fn register(&self, r: &mut Registry) {
        r.register(
            "reconciles",
            "Reconciles by controller and result (ok or the reason of the error)",
            self.reconciles.clone(),
        );
        r.register_with_unit(
            "reconcile_duration",
            "Time of a reconcile",
            Unit::Seconds,
            self.reconcile_seconds.clone(),
        );
        r.register(
            "proofs_finished",
            "Finished proofs by reason of their condition",
            self.proofs.clone(),
        );
        r.register_with_unit(
            "proof_duration",
            "From creation of a request to its end",
            Unit::Seconds,
            self.proof_seconds.clone(),
        );
        r.register(
            "store_errors",
            "Failed operations on the artifact store by reason",
            self.store_errors.clone(),
        );
        r.register(
            "api_writes",
            "Writes of the operator to the API server by kind and result",
            self.status_writes.clone(),
        );
        r.register(
            "api_responses",
            "Answers of the API server by status code, those that were tried again included",
            self.api_responses.clone(),
        );
        self.tasks.register(r);
        self.terms.register(r);
        r.register("workers", "Connected workers by role", self.workers.clone());
        r.register(
            "worker_devices",
            "GPUs of connected workers by kind",
            self.devices.clone(),
        );
        r.register_with_unit(
            "worker_device_free",
            "Memory that the GPUs of connected workers have free, as of their workers' last look, by kind",
            Unit::Bytes,
            self.device_free.clone(),
        );
        r.register(
            "pool_workers_ready",
            "Ready workers by pool",
            self.pool_ready.clone(),
        );
        r.register(
            "pool_quarantined_nodes",
            "Nodes that new workers of a pool stay away from, since workers failed there again and again",
            self.pool_quarantined.clone(),
        );
        r.register(
            "worker_losses",
            "Workers that ended without being asked to, by class",
            self.worker_losses.clone(),
        );
        r.register(
            "http_requests",
            "Requests to the HTTP API by result",
            self.http_requests.clone(),
        );
        r.register(
            "unreadable_objects",
            "Objects that this version cannot read and leaves as they are, by kind",
            self.unreadable.clone(),
        );
    }

    /// The metrics in the OpenMetrics text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }

    /// A reconcile ended: `result` is `ok` or the error's reason.
    pub fn reconciled(&self, controller: &'static str, result: &'static str, took: Duration) {
        self.reconciles
            .get_or_create(&ReconcileLabels { controller, result })
            .inc();
        self.reconcile_seconds
            .get_or_create(&ControllerLabels { controller })
            .observe(took.as_secs_f64());
    }

    /// A proof ended with `reason`, `total` after its creation.
    pub fn proof_finished(&self, reason: &str, total: Option<Duration>) {
        self.proofs
            .get_or_create(&ReasonLabels {
                reason: reason.to_owned(),
            })
            .inc();
        if let Some(total) = total {
            self.proof_seconds.observe(total.as_secs_f64());
        }
    }

    /// An operation on the store failed.
    pub fn store_error(&self, reason: &str) {
        self.store_errors
            .get_or_create(&ReasonLabels {
                reason: reason.to_owned(),
            })
            .inc();
    }

    /// A write to the API server ended: `result` as in [`WriteLabels`].
    pub fn wrote(&self, kind: &'static str, result: &'static str) {
        self.status_writes
            .get_or_create(&WriteLabels { kind, result })
            .inc();
    }

    /// The API server answered with this status.
    pub fn api_answered(&self, code: u16) {
        self.api_responses
            .get_or_create(&CodeLabels { code: code.into() })
            .inc();
    }

    /// Replaces the counts of connected workers by role.
    pub fn set_workers(&self, counts: impl IntoIterator<Item = (RoleLabels, usize)>) {
        replace(&self.workers, counts);
    }

    /// Replaces, by kind of GPU, the counts of connected workers, and the bytes that their GPUs had free together.
    pub fn set_devices(&self, kinds: impl IntoIterator<Item = (DeviceLabels, usize, u64)>) {
        let kinds: Vec<_> = kinds.into_iter().collect();
        replace(
            &self.devices,
            kinds.iter().map(|(kind, count, _)| (kind.clone(), *count)),
        );
        self.device_free.clear();
        for (kind, _, free) in kinds {
            let free = i64::try_from(free).unwrap_or(i64::MAX);
            self.device_free.get_or_create(&kind).set(free);
        }
    }

    /// Number of ready workers of a pool; `None` when the pool is gone.
    pub fn set_pool_ready(&self, pool: &str, count: Option<usize>) {
        let labels = PoolLabels {
            pool: pool.to_owned(),
        };
        match count {
            Some(count) => {
                self.pool_ready.get_or_create(&labels).set(gauge(count));
            }
            None => {
                self.pool_ready.remove(&labels);
                self.pool_quarantined.remove(&labels);
            }
        }
    }

    /// How many nodes new workers of a pool stay away from.
    pub fn set_pool_quarantined(&self, pool: &str, count: usize) {
        let labels = PoolLabels {
            pool: pool.to_owned(),
        };
        self.pool_quarantined
            .get_or_create(&labels)
            .set(gauge(count));
    }

    /// A worker was lost.
    pub fn worker_lost(&self, class: &str) {
        self.worker_losses
            .get_or_create(&ReasonLabels {
                reason: class.to_owned(),
            })
            .inc();
    }

    /// How many objects of a kind cannot be read.
    pub fn set_unreadable(&self, kind: &str, count: usize) {
        let labels = KindLabels {
            kind: kind.to_owned(),
        };
        self.unreadable.get_or_create(&labels).set(gauge(count));
    }

    /// A request to the HTTP API was answered: `result` is `ok` or the error's reason.
    pub fn http(&self, result: &str) {
        self.http_requests
            .get_or_create(&ReasonLabels {
                reason: result.to_owned(),
            })
            .inc();
    }
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 15))
}

/// Puts these counts in the place of all that there were.
fn replace<L: Clone + Eq + std::hash::Hash>(
    family: &Family<L, Gauge>,
    counts: impl IntoIterator<Item = (L, usize)>,
) {
    family.clear();
    for (labels, count) in counts {
        family.get_or_create(&labels).set(gauge(count));
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_prefix_and_units() {
        let metrics = Metrics::new();
        metrics.reconciled("proof_request", "ok", Duration::from_millis(3));
        metrics.proof_finished("Succeeded", Some(Duration::from_secs(2)));
        metrics.store_error("Unavailable");
        metrics.set_workers([(RoleLabels { role: "prove" }, 2)]);
        let text = metrics.render();
        for line in [
            "provost_reconciles_total{controller=\"proof_request\",result=\"ok\"} 1",
            "provost_proofs_finished_total{reason=\"Succeeded\"} 1",
            "provost_store_errors_total{reason=\"Unavailable\"} 1",
            "provost_workers{role=\"prove\"} 2",
            "provost_reconcile_duration_seconds_count",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn gauges_are_replaced_as_a_whole() {
        let metrics = Metrics::new();
        metrics.set_workers([(RoleLabels { role: "prove" }, 2)]);
        metrics.set_workers([]);
        assert!(!metrics.render().contains("role=\"prove\""));
    }
}
