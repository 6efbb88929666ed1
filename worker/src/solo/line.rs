//! What `worker solo` prints, as JSON.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use provost_coordinator::ShardSize;
use serde::Serialize;
use serde_json::Value;

use super::machine::Done;
use super::report::{self, Work};
use super::workers::status;

/// The first line: what it took to be ready.
#[derive(Debug, Serialize)]
pub(super) struct Ready {
    ready: &'static str,
    /// Start of all parts until the workers take tasks.
    start_seconds: f64,
    /// By class, what each worker tells of its start, its memory and its device.
    workers: BTreeMap<&'static str, Value>,
}

impl Ready {
    /// After so long.
    pub(super) async fn of(start: Duration, workers: &[(&'static str, SocketAddr)]) -> Self {
        let mut told = BTreeMap::new();
        for (class, address) in workers {
            let mut status = status(*address).await;
            if let Value::Object(fields) = &mut status {
                fields.retain(|field, _| ["start", "memory", "device"].contains(&field.as_str()));
            }
            told.insert(*class, status);
        }
        Self {
            ready: "solo",
            start_seconds: start.as_secs_f64(),
            workers: told,
        }
    }
}

/// A line for each proof or execution.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// Submitted to succeeded.
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cycles: Option<u64>,
    /// How large the shards were, in trace elements: by the coordinator's choice, or by `ELEMENT_THRESHOLD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_elements: Option<u64>,
    /// `Full` or `Reduced`, by that.
    #[serde(skip_serializing_if = "Option::is_none")]
    shards: Option<String>,
    /// Memory of the GPU that was free after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_free_bytes: Option<u64>,
    #[serde(flatten)]
    work: Work,
}

impl Line {
    /// What was done, before its proof is looked at.
    pub(super) async fn of(done: &Done, workers: &[(&'static str, SocketAddr)]) -> Self {
        let said: Value = serde_json::from_str(&done.said).unwrap_or_default();
        let shard_elements = done.shards.map(|size| elements(size, threshold()));
        let mut device_free_bytes = None;
        for (_, address) in workers {
            let free = status(*address).await["deviceFreeBytes"].as_u64();
            device_free_bytes = device_free_bytes.or(free);
        }
        Self {
            seconds: done.seconds,
            verify_seconds: None,
            proof_bytes: None,
            cycles: said["cycles"].as_u64(),
            shard_elements,
            shards: shard_elements.map(|elements| format!("{:?}", ShardSize::within(elements))),
            device_free_bytes,
            work: report::work(&done.changes),
        }
    }

    /// Its proof verified.
    pub(super) fn verified(&mut self, took: Duration, bytes: u64) {
        self.verify_seconds = Some(took.as_secs_f64());
        self.proof_bytes = Some(bytes);
    }
}

/// The workers have this process's environment, and whoever executes heeds that first.
fn elements(chosen: ShardSize, threshold: Option<u64>) -> u64 {
    threshold.unwrap_or(chosen.elements())
}

fn threshold() -> Option<u64> {
    std::env::var("ELEMENT_THRESHOLD").ok()?.parse().ok()
}
