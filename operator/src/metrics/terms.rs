//! Metrics of leadership: who leads, in which term, and what waits for the API server.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::gauge;
use super::labels::WhatLabels;

/// How this replica stands. Clones share the same values.
#[derive(Clone)]
pub struct TermMetrics {
    leads: Gauge,
    epoch: Gauge,
    terms: Counter,
    degraded: Gauge,
    recovering: Gauge,
    held: Gauge,
    recovery_seconds: Histogram,
    unstored: Family<WhatLabels, Gauge>,
    unstored_since: Gauge,
}

impl TermMetrics {
    pub(super) fn new() -> Self {
        Self {
            leads: Gauge::default(),
            epoch: Gauge::default(),
            terms: Counter::default(),
            degraded: Gauge::default(),
            recovering: Gauge::default(),
            held: Gauge::default(),
            recovery_seconds: Histogram::new(exponential_buckets(0.05, 2.0, 12)),
            unstored: Family::default(),
            unstored_since: Gauge::default(),
        }
    }

    pub(super) fn register(&self, r: &mut Registry) {
        r.register("leader", "1 on the replica that leads", self.leads.clone());
        r.register(
            "leader_epoch",
            "Epoch in which this replica leads, 0 while it does not",
            self.epoch.clone(),
        );
        r.register(
            "leader_terms",
            "Terms that this process has begun",
            self.terms.clone(),
        );
        r.register(
            "leader_degraded",
            "1 while the leader goes on without the API server: what must be stored waits",
            self.degraded.clone(),
        );
        r.register(
            "recovery_active",
            "1 while workers report to a new leader",
            self.recovering.clone(),
        );
        r.register(
            "recovery_held_tasks",
            "Tasks that are held until it is known whether they run",
            self.held.clone(),
        );
        r.register_with_unit(
            "recovery_duration",
            "From the beginning of a term until all workers have reported or are given up",
            Unit::Seconds,
            self.recovery_seconds.clone(),
        );
        r.register(
            "unstored",
            "What could not be stored yet, by kind: outcomes of proofs, whose workers are not answered, and runs that do not begin",
            self.unstored.clone(),
        );
        r.register(
            "unstored_oldest_timestamp_seconds",
            "Since when the oldest of these waits, in Unix seconds; 0 if none does",
            self.unstored_since.clone(),
        );
    }

    /// This replica leads in `epoch` from now on; 0 when it leads no more.
    pub fn leads(&self, epoch: u64) {
        if epoch != 0 {
            self.terms.inc();
        }
        self.leads.set(i64::from(epoch != 0));
        self.epoch.set(i64::try_from(epoch).unwrap_or(i64::MAX));
    }

    /// Whether the leader goes on without the API server.
    pub fn degraded(&self, degraded: bool) {
        self.degraded.set(i64::from(degraded));
    }

    /// Workers report to a new leader: so many tasks are held.
    pub fn recovering(&self, held: usize) {
        self.recovering.set(1);
        self.held.set(gauge(held));
    }

    /// All have reported, after this time.
    pub fn recovered(&self, took: Duration) {
        self.recovering.set(0);
        self.held.set(0);
        self.recovery_seconds.observe(took.as_secs_f64());
    }

    /// How many outcomes and runs could not be stored yet, and since when the oldest of them waits, in Unix milliseconds.
    pub fn unstored(&self, outcomes: usize, runs: usize, oldest: Option<i64>) {
        for (what, count) in [("outcome", outcomes), ("run", runs)] {
            let labels = WhatLabels { what };
            self.unstored.get_or_create(&labels).set(gauge(count));
        }
        self.unstored_since.set(oldest.map_or(0, |at| at / 1000));
    }
}
