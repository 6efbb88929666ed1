//! Counts of attempts that failed, in the form in which the next leader reads them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Attempts that failed at tasks of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FailedAttempts {
    /// Attempts that failed for reasons of their own.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 4294967295u32))]
    pub failed: u32,
    /// How many of them made a proof that does not verify.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 4294967295u32))]
    pub invalid: u32,
    /// Times that the worker was told to go.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 4294967295u32))]
    pub preempted: u32,
    /// Times that the worker vanished.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 4294967295u32))]
    pub lost: u32,
    /// How many different workers vanished, where the task may have been the reason.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 4294967295u32))]
    pub lost_workers: u32,
    /// Times that the worker ran out of memory.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 4294967295u32))]
    pub out_of_memory: u32,
    /// How many different workers ran out of memory, where the task may have been the reason.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 4294967295u32))]
    pub out_of_memory_workers: u32,
    /// Least capacity of a worker for the task, in GiB, once it ran out of memory; 0 before.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 4294967295u32))]
    pub min_capacity: u32,
    /// Since when the attempts in a row have found the artifact store away, in milliseconds since 1970; 0 if the last one
    /// did not.
    #[serde(skip_serializing_if = "is_zero_i64")]
    #[schemars(range(min = 0))]
    pub store_away_since_ms: i64,
    /// How many attempts those were.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 4294967295u32))]
    pub store_waits: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero_i64(time: &i64) -> bool {
    *time == 0
}
