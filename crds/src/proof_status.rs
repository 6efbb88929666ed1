//! The status of a ProofRequest.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Failure, ShardSize, schema};

/// What has become of the request. Written by the operator alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProofRequestStatus {
    /// metadata.generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One condition, Succeeded, tells how the request stands. Unknown while it goes on, with a reason such as
    /// Pending, Executing, Proving, Suspended, StoreUnavailable or Unschedulable. True with reason Succeeded when
    /// the result is there. False when it ended otherwise, with reason Cancelled, Expired or the class of
    /// its failure. True and False are final.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Tasks done of tasks known so far, for example 7/12. The second number grows while the program executes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub progress: Option<String>,
    /// Seconds that the proof is expected to take from now on. Absent when nothing can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub eta_seconds: Option<i64>,
    /// Id of the program in the artifact store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::artifact_id")]
    pub program_id: Option<String>,
    /// Id of the stdin in the artifact store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::artifact_id")]
    pub stdin_id: Option<String>,
    /// What executing the program gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Execution>,
    /// The finished proof. Absent in mode Execute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofOutput>,
    /// What ended the proof, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Which run of the proof the tasks are of, counted from 0: it begins again when what coordinates it is lost with its worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub run: Option<u32>,
    /// Number of tasks of this run by type and state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub tasks: BTreeMap<String, TaskCounts>,
    /// Seconds that the proof's tasks held a GPU, as far as their workers said: those that succeeded, runs that were
    /// begun again included, but for the set-up of a program's key, of which SP1 says nothing. Absent where no GPU was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub gpu_seconds: Option<i64>,
    /// How large the shards of the proof's present run are: as large as every prover could take that was there, or was to come, when the run
    /// began. Absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_size: Option<ShardSize>,
    /// When the proof was queued, started and finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<Timings>,
    /// From the start of the work to its end, or until the last update, for example 3m41s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub duration: Option<String>,
}

/// What executing the program gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// RISC-V cycles that the program executed.
    #[schemars(range(min = 0))]
    pub cycles: i64,
    /// SP1 prover gas that it used. Absent where the prover does not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub gas: Option<i64>,
    /// Exit code of the program. A proof needs 0; mode Execute reports any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// SHA-256 of the public values that the program committed, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub public_values_hash: Option<String>,
}

/// The finished proof.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProofOutput {
    /// Id of the proof in the artifact store.
    #[schemars(schema_with = "schema::artifact_id")]
    pub artifact: String,
    /// Bytes of the proof as stored.
    #[schemars(range(min = 0))]
    pub size_bytes: i64,
    /// SHA-256 of the proof as stored, in hex.
    #[schemars(length(max = 64))]
    pub sha256: String,
    /// Hash of the program's verification key. To trust a proof, compute it from your own ELF: `kubectl proof
    /// verify` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub vk_hash: Option<String>,
    /// Version of SP1's circuits that the proof is of, as SP1's own proof files name it: verify with the same one.
    #[schemars(length(max = 64))]
    pub sp1_version: String,
}

/// Number of tasks of one type, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskCounts {
    /// Tasks that wait for a worker.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub pending: i32,
    /// Tasks that a worker has.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub running: i32,
    /// Tasks that are done.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub succeeded: i32,
    /// Tasks that failed for good.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub failed: i32,
}

/// When the proof was queued, started and finished, and the times between.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// When the operator saw the request for the first time. Its creation the API server notes in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<MicroTime>,
    /// When program and stdin were in the store and the first task was queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<MicroTime>,
    /// When a worker took the first task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    /// When the request ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<MicroTime>,
    /// Milliseconds from creation of the request to startedAt: from seenAt, if that was within a second of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub queue_millis: Option<i64>,
    /// Milliseconds from startedAt to finishedAt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub prove_millis: Option<i64>,
    /// Milliseconds from creation of the request to finishedAt: from seenAt, if that was within a second of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub total_millis: Option<i64>,
}
