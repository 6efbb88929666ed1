//! The kinds that an operator reads.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::core::ObjectMeta;
use provost_crds::{PoolClass, ProofRequest, ProvingTask, WorkerPool, WorkerPoolSpec};
use serde::de::DeserializeOwned;

/// A kind of objects that another version may have written.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + DeserializeOwned
    + Debug
    + Send
    + Sync
    + 'static
{
    /// An object of which nothing but its metadata is known.
    fn bare(metadata: ObjectMeta) -> Self;
}

impl Kind for ProofRequest {
    fn bare(metadata: ObjectMeta) -> Self {
        Self {
            metadata,
            ..Self::new("", Default::default())
        }
    }
}

impl Kind for ProvingTask {
    fn bare(metadata: ObjectMeta) -> Self {
        Self {
            metadata,
            ..Self::new("", Default::default())
        }
    }
}

impl Kind for WorkerPool {
    fn bare(metadata: ObjectMeta) -> Self {
        Self {
            metadata,
            ..Self::new("", WorkerPoolSpec::new(PoolClass::All))
        }
    }
}
