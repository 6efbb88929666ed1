//! The controllers: one folder for each kind that is reconciled.

pub mod backoff;
pub mod proof_request;
pub mod worker_pool;

use std::fmt::Debug;
use std::hash::Hash;

use futures::{Stream, StreamExt};
use kube::Resource;
use kube::runtime::reflector::Store;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

/// Ticks when this replica begins to lead: what it had left alone until then is looked at.
fn begins_to_lead(leads: &watch::Receiver<bool>) -> impl Stream<Item = ()> + Send + 'static {
    WatchStream::from_changes(leads.clone()).filter_map(async |leads| leads.then_some(()))
}

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
