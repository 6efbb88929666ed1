//! The Kubernetes API of Provost: group `provost.dev`, version `v1alpha1`.
//!
//! | kind | short name | what it is |
//! | --- | --- | --- |
//! | [`ProofRequest`] | `proofs`, `proof` | a proof that a user wants |
//! | [`ProvingTask`] | `ptask` | one unit of work of a proof, written by the operator |
//! | [`WorkerPool`] | `wpool` | a pool of worker pods |
//!
//! The manifests in `config/crd` are generated from these types by the binary `crdgen` of this
//! crate; [`manifest`] holds what it writes. The doc comments on the fields become the text of
//! `kubectl explain`, so they use the names and units of the YAML.

// The derive KubeSchema copies each `pub struct` into a function body, where nothing can reach it.
#![allow(unreachable_pub)]
// The columns of one `#[kube(...)]` share words such as `type_ = "string"`.
#![allow(clippy::duplicated_attributes)]

pub mod conditions;
pub mod duration;
pub mod failed_attempts;
pub mod failure;
pub mod manifest;
pub mod mode;
pub mod program;
pub mod proof_request;
mod proof_state;
pub mod proof_status;
pub mod proving_task;
pub mod reasons;
mod schema;
pub mod shard_size;
pub mod stdin;
pub mod worker_pod;
pub mod worker_pool;
pub mod yaml;

pub use failed_attempts::FailedAttempts;
pub use failure::{Failure, FailureClass, UnknownFailureClass};
pub use mode::Mode;
pub use program::{ConfigMapKey, Program};
pub use proof_request::{Limits, ProofRequest, ProofRequestSpec};
pub use proof_status::{Execution, ProofOutput, ProofRequestStatus, TaskCounts, Timings};
pub use proving_task::{ProvingTask, ProvingTaskSpec, ProvingTaskStatus, TaskState};
pub use shard_size::ShardSize;
pub use stdin::{Stdin, StdinEntry};
pub use worker_pod::{DeviceClaim, EnvVar, Resources};
pub use worker_pool::{PoolClass, QuarantinedNode, WorkerPool, WorkerPoolSpec, WorkerPoolStatus};

/// The API group of all kinds.
pub const GROUP: &str = "provost.dev";
/// The only version so far.
pub const VERSION: &str = "v1alpha1";
/// Label with the name of the ProofRequest that an object belongs to.
pub const PROOF_LABEL: &str = "provost.dev/proof";
/// Label with the name of the WorkerPool that a pod belongs to.
pub const POOL_LABEL: &str = "provost.dev/pool";

/// Label of the operator pod that leads: "true". Clients that must reach the leader select it.
pub const LEADER_LABEL: &str = "provost.dev/leader";
/// Finalizer of a ProofRequest: its artifacts are still in the store.
pub const ARTIFACTS_FINALIZER: &str = "provost.dev/artifacts";
/// Field manager of everything that the operator writes.
pub const FIELD_MANAGER: &str = "provost-operator";
