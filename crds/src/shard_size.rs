//! How large the shards of a proof are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How large shards are. A proof has them as large as all GPUs take that may serve it, and a pool says what its GPUs take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ShardSize {
    /// For GPUs of 24 GB.
    Reduced,
    /// SP1's own size, for CPUs and GPUs with more than 26 GB.
    Full,
}
