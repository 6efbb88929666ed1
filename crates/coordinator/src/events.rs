//! What the coordinator tells of its workers, and how they look from outside.

use std::collections::BTreeSet;

use provost_proto::worker::{TaskType, WorkerType};

use crate::failure::FailureClass;
use crate::ids::{ProofId, TaskId, WorkerId};
use crate::shards::ShardSize;

/// Something happened to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEvent {
    /// It takes tasks.
    Registered {
        /// The worker.
        worker: WorkerId,
        /// What it runs.
        kind: WorkerType,
        /// Its capacity, in GiB.
        max_weight: u32,
    },
    /// It takes no more tasks, by its own word.
    Closed {
        /// The worker.
        worker: WorkerId,
    },
    /// It is gone, and its tasks go elsewhere.
    Lost {
        /// The worker.
        worker: WorkerId,
        /// Why.
        class: FailureClass,
        /// For people.
        message: String,
        /// The proofs whose tasks it held.
        proofs: BTreeSet<ProofId>,
        /// What it proved on, if that was a GPU.
        device: Option<Device>,
    },
    /// By its own word it broke at a task, as a lost GPU or a panic of SP1's breaks it: it lets its other tasks end, and leaves.
    Broke {
        /// The worker.
        worker: WorkerId,
        /// The task's proof.
        proof: ProofId,
        /// What it proves on, if that is a GPU.
        device: Option<Device>,
    },
    /// Workers were lost at tasks of this proof until it was given up: that says nothing against their machines.
    Poison {
        /// The proof.
        proof: ProofId,
    },
    /// It does not let go of a task that it was told to stop: its pod is to be replaced.
    Recycle {
        /// The pod.
        pod: String,
        /// For people.
        why: String,
    },
}

/// What became of the wish to run a task again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recall {
    /// It waits again, or its proof begins again.
    Done,
    /// Nothing of it runs: it is not known, has ended, or waits anyway.
    Unneeded,
    /// It is not known yet whether it runs: ask again when [`crate::Coordinator::is_recovering`] is over.
    Recovering,
}

/// A worker as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerView {
    /// The worker.
    pub id: WorkerId,
    /// Its pod.
    pub pod: String,
    /// What it runs.
    pub kind: WorkerType,
    /// Its capacity, in GiB.
    pub max_weight: u32,
    /// Weight of the tasks that it holds, cancelled ones that it still reports included.
    pub used_weight: u32,
    /// The tasks that it works on.
    pub tasks: Vec<(ProofId, TaskId, TaskType)>,
    /// Whether its process made tasks of a proof that goes on: a later leader learns of those from it.
    pub made_tasks: bool,
    /// Whether it takes tasks now.
    pub available: bool,
    /// Whether it is to be replaced, as [`WorkerEvent::Recycle`] told.
    pub retiring: bool,
    /// Its build, as it reports it.
    pub version: String,
    /// What it proves on, if that is a GPU.
    pub device: Option<Device>,
    /// The largest shards that it proves.
    pub shards: ShardSize,
}

/// A GPU, as its worker describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device {
    /// Its name; may be empty.
    pub name: String,
    /// Its memory in bytes; 0 if the worker does not say.
    pub memory_bytes: u64,
    /// Compute capability, such as `9.0`; may be empty.
    pub capability: String,
    /// The newest CUDA version of its driver, such as `13.0`; may be empty.
    pub driver: String,
    /// The driver's own version, such as `580.95.05`; may be empty.
    pub driver_version: String,
    /// What was free of its memory when its worker last looked, in bytes; 0 if the worker does not say.
    pub free_bytes: u64,
    /// Its UUID, without the `GPU-` or `MIG-` of NVIDIA's tools; may be empty.
    pub uuid: String,
}

/// Counts over everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Tasks created since the start.
    pub total_tasks: u64,
    /// Tasks that are not final.
    pub active_tasks: u32,
    /// Proofs that have not ended.
    pub active_proofs: u32,
    /// Open subscriptions.
    pub subscriptions: u32,
    /// Workers that execute.
    pub cpu: ClassStats,
    /// Workers that prove.
    pub gpu: ClassStats,
}

/// Counts of one class; a worker of type ALL counts in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassStats {
    /// Registered workers.
    pub workers: u32,
    /// Their weight in use.
    pub used_weight: u64,
    /// Their capacity.
    pub max_weight: u64,
    /// Tasks that wait for one, those that wait out a back-off included.
    pub queued: u32,
}
