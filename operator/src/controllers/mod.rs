//! The controllers: one folder for each kind that is reconciled.

pub mod backoff;
pub mod proof_request;
pub mod worker_pool;

use std::fmt::Debug;
use std::hash::Hash;

use kube::Resource;
use kube::runtime::reflector::Store;

/// Runs a controller, and calls `synced` once its cache has seen its first list.
///
/// Both in one task: a cache wakes only the last task that asked whether it is ready, and a controller that is not woken never
/// reconciles anything.
async fn run_synced<K>(cache: Store<K>, synced: impl FnOnce(), controller: impl Future<Output = ()>)
where
    K: Resource<DynamicType: Eq + Hash + Clone> + Clone + Debug + Send + Sync + 'static,
{
    let ready = async {
        if cache.wait_until_ready().await.is_ok() {
            synced();
        }
    };
    tokio::join!(controller, ready);
}
