//! Waits for the CRDs: an operator that is installed before them is not ready, and does not crash either.

use std::fmt::Debug;
use std::time::Duration;

use kube::api::{Api, ListParams};
use kube::{Client, Resource};
use provost_crds::{ProofRequest, ProvingTask, WorkerPool};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::api::within;

/// Time between two looks.
const AGAIN: Duration = Duration::from_secs(2);

/// Returns once all kinds are served; `false` if `shutdown` came first.
pub(crate) async fn wait(client: &Client, shutdown: &CancellationToken) -> bool {
    let mut told = false;
    loop {
        let missing = missing(client).await;
        if missing.is_empty() {
            return true;
        }
        if !told {
            tracing::warn!(
                ?missing,
                "waiting for CRDs: kubectl apply --server-side -k config/crd"
            );
            told = true;
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = shutdown.cancelled() => return false,
        }
    }
}

async fn missing(client: &Client) -> Vec<&'static str> {
    let mut missing = Vec::new();
    if !served::<ProofRequest>(client).await {
        missing.push("proofrequests");
    }
    if !served::<ProvingTask>(client).await {
        missing.push("provingtasks");
    }
    if !served::<WorkerPool>(client).await {
        missing.push("workerpools");
    }
    missing
}

async fn served<K>(client: &Client) -> bool
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let api: Api<K> = Api::all(client.clone());
    match within(
        "look for a CRD",
        api.list_metadata(&ListParams::default().limit(1)),
    )
    .await
    {
        Ok(_) => true,
        Err(error) => {
            tracing::debug!(%error, kind = %K::kind(&()), "a CRD is not served");
            false
        }
    }
}
