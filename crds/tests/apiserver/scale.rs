//! The scale subresource of a WorkerPool.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::space::{Space, object};

#[tokio::test]
async fn a_pool_scales() {
    let space = Space::new("scale").await;
    let pools = space.pools();
    let pool = object("WorkerPool", "gpu", json!({"class": "GPU"}));
    space.apply(&pool).await.unwrap();
    let merge = PatchParams::default();
    let status = json!({"status": {"replicas": 1, "readyReplicas": 0, "selector": "provost.dev/pool=gpu", "roles": ""}});
    pools
        .patch_status("gpu", &merge, &Patch::Merge(status))
        .await
        .unwrap();

    let scale = pools.get_scale("gpu").await.unwrap();
    assert_eq!(scale.spec.unwrap().replicas, Some(1));
    let status = scale.status.unwrap();
    assert_eq!(
        (status.replicas, status.selector.as_deref()),
        (1, Some("provost.dev/pool=gpu"))
    );

    let four = Patch::Merge(json!({"spec": {"replicas": 4}}));
    pools.patch_scale("gpu", &merge, &four).await.unwrap();
    assert_eq!(pools.get("gpu").await.unwrap().spec.replicas, 4);

    let many = Patch::Merge(json!({"spec": {"replicas": 1001}}));
    let error = pools.patch_scale("gpu", &merge, &many).await.unwrap_err();
    assert!(
        error.to_string().contains("less than or equal to 1000"),
        "{error}"
    );
    space.close().await;
}
