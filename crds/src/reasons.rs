//! Reasons of the condition `Succeeded` of a ProofRequest and of `Ready` of a WorkerPool.
//!
//! Failed proofs carry the name of their [`FailureClass`](crate::FailureClass) instead.

/// Unknown: accepted, nothing runs yet.
pub const PENDING: &str = "Pending";
/// Unknown: the program runs (mode Execute).
pub const EXECUTING: &str = "Executing";
/// Unknown: the proof is being made.
pub const PROVING: &str = "Proving";
/// Unknown: `spec.suspend` is set.
pub const SUSPENDED: &str = "Suspended";
/// Unknown: the artifact store cannot be reached; tried again until it can.
pub const STORE_UNAVAILABLE: &str = "StoreUnavailable";
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
/// False: the API server refuses the pool's pods.
pub const POD_REFUSED: &str = "PodRefused";
