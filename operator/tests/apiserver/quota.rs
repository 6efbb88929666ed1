//! A namespace that may have no objects of a kind.

use std::fmt::Debug;

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::bench::{Bench, create, wait};

const NAME: &str = "none";

/// Holds until it is lifted.
pub struct Quota(Api<ResourceQuota>);

/// Makes a quota of no objects counted as `counted` (`count/pods`, for one), and waits until `probe` is refused.
pub async fn none<K>(bench: &Bench, counted: &str, api: &Api<K>, probe: &K) -> Quota
where
    K: Clone + Debug + Serialize + DeserializeOwned,
{
    let quotas: Api<ResourceQuota> = Api::namespaced(bench.client.clone(), &bench.namespace);
    let hard = json!({counted: "0"});
    let quota = json!({"metadata": {"name": NAME}, "spec": {"hard": hard}});
    create(&quotas, quota).await;
    // The controller manager's part.
    let status = Patch::Merge(json!({"status": {"hard": hard, "used": hard}}));
    quotas
        .patch_status(NAME, &PatchParams::default(), &status)
        .await
        .unwrap();
    refused(api, probe, "exceeded quota").await;
    Quota(quotas)
}

impl Quota {
    pub async fn lift(self) {
        self.0.delete(NAME, &DeleteParams::default()).await.unwrap();
    }
}

/// Waits until the API server knows that it is to refuse `probe`: it hears of what is new by watches of its own.
pub async fn refused<K>(api: &Api<K>, probe: &K, why: &str)
where
    K: Clone + Debug + Serialize + DeserializeOwned,
{
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    wait(why, || async {
        let refused = api.create(&dry_run, probe).await.err()?;
        refused.to_string().contains(why).then_some(())
    })
    .await;
}
