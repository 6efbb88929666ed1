//! Reasons of the condition `Succeeded` of a ProofRequest and of `Ready` of a WorkerPool, and of events on them.
//!
//! Failed proofs carry the name of their [`FailureClass`](crate::FailureClass) instead, and so does the event on the pool
//! whose worker failed.

/// Unknown: accepted, nothing runs yet.
pub const PENDING: &str = "Pending";
/// Unknown: the program runs (mode Execute).
pub const EXECUTING: &str = "Executing";
/// Unknown: the proof is being made.
pub const PROVING: &str = "Proving";
/// Unknown: `spec.suspend` is set.
pub const SUSPENDED: &str = "Suspended";
/// Unknown: the artifact store cannot be reached; tried again until it can. False, as the failure class of this name: it
/// was away for longer than workers wait.
pub const STORE_UNAVAILABLE: &str = "StoreUnavailable";
/// Unknown: the spec names a ConfigMap that is not there; tried again until it is.
pub const CONFIG_MAP_NOT_FOUND: &str = "ConfigMapNotFound";
/// Unknown: the spec names a key that its ConfigMap lacks; tried again until it is there.
pub const CONFIG_MAP_KEY_NOT_FOUND: &str = "ConfigMapKeyNotFound";
/// Unknown: a task fits no worker of any pool.
pub const UNSCHEDULABLE: &str = "Unschedulable";
/// True: the proof (or, in mode Execute, the execution) is complete.
pub const SUCCEEDED: &str = "Succeeded";
/// False: cancelled by the user.
pub const CANCELLED: &str = "Cancelled";
/// False: `spec.deadline` passed first.
pub const EXPIRED: &str = "Expired";

/// True: as many workers are ready as the pool asks for.
pub const WORKERS_READY: &str = "WorkersReady";
/// False: fewer workers are ready than the pool asks for.
pub const WORKERS_NOT_READY: &str = "WorkersNotReady";
/// False: fewer workers are ready than the pool asks for, and the last one that crashed had no GPU that it can use. Also
/// the event of each such worker.
pub const DEVICE_UNAVAILABLE: &str = "DeviceUnavailable";
/// False: the API server refuses the pool's pods.
pub const POD_REFUSED: &str = "PodRefused";
/// False: pods of the pool could not be made or deleted for now.
pub const POD_FAILED: &str = "PodFailed";
/// False: the pool asks for GPUs, and the operator knows no image for them.
pub const NO_GPU_IMAGE: &str = "NoGpuImage";
/// False: the pool is not in the namespace that the operator serves.
pub const NAMESPACE_NOT_SERVED: &str = "NamespaceNotServed";

/// An event: this version of the operator cannot read the object, and leaves it as it is.
pub const UNREADABLE: &str = "Unreadable";

/// An event on a WorkerPool: its new workers stay away from a node for a while.
pub const NODE_QUARANTINED: &str = "NodeQuarantined";
