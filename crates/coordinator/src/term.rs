//! The time in which a replica leads.

use std::collections::BTreeMap;
use std::time::Duration;

use provost_proto::worker::TaskType;

use crate::attempts::AttemptsByType;
use crate::ids::TaskId;
use crate::proof_spec::ProofSpec;
use crate::shards::ShardSize;

/// A term: what a replica has to know when it begins to lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Greater than that of every term before; never 0.
    pub epoch: u64,
    /// Pods of the workers of the term before. What they may run is held until each has reported, is known to be gone
    /// ([`crate::Coordinator::worker_lost`]), or its limit has passed.
    pub expected: Vec<String>,
    /// The proofs that had begun and have not ended, by the durable state. All of them: what workers say of others is taken for over when the
    /// recovery ends.
    pub proofs: Vec<RecoveredProof>,
    /// How long leaf tasks are held for workers that do not report.
    pub leaf_limit: Duration,
    /// How long Controllers, CoreExecutes and ExecuteOnlys are.
    pub unit_limit: Duration,
}

impl Term {
    /// A term before which there was nothing.
    pub const fn first(epoch: u64) -> Self {
        Self {
            epoch,
            expected: Vec::new(),
            proofs: Vec::new(),
            leaf_limit: Duration::from_secs(8),
            unit_limit: Duration::from_secs(30),
        }
    }
}

impl Default for Term {
    fn default() -> Self {
        Self::first(1)
    }
}

/// A proof that had begun in an earlier term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredProof {
    /// What it is.
    pub spec: ProofSpec,
    /// Its present run, as [`crate::State::begin_run`] stored it.
    pub run: u32,
    /// The root task of that run.
    pub root: TaskId,
    /// Attempts that had failed before it began, as [`crate::State::begin_run`] stored them.
    pub attempts: AttemptsByType,
    /// How long its tasks had held GPUs, in milliseconds, as far as that is known.
    pub gpu_ms: u64,
    /// How large that run's shards are, as [`crate::State::begin_run`] stored it.
    pub shards: Option<ShardSize>,
    /// How many tasks of that run had succeeded, by type, as far as that is known. What ended after it was last stored may be missing.
    pub succeeded: BTreeMap<TaskType, u32>,
    /// Whether the proof is complete in the store: its leader was lost before it could write that down. It is not made again; the worker that made it may yet say how it
    /// was made.
    pub finished: bool,
}

/// Something happened to the term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermEvent {
    /// A worker has seen a leader of a later epoch: this one should step down.
    Deposed {
        /// That epoch.
        epoch: u64,
    },
}
