//! Pools whose pods the API server does not make.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::bench::{Bench, create, wait};
use crate::pools::condition;
use crate::quota;

/// Longer than the operator waits before its first tries again.
const SOME_TIME: Duration = Duration::from_secs(4);

/// A pod that the namespace takes otherwise.
fn probe() -> Pod {
    let confined = json!({
        "allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    });
    let containers = json!([{"name": "c", "image": "c", "securityContext": confined}]);
    let pod = json!({"metadata": {"name": "probe"}, "spec": {"containers": containers}});
    serde_json::from_value(pod).unwrap()
}

async fn scale(bench: &Bench, replicas: u32) {
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let pools = bench.pools();
    pools
        .patch("workers", &PatchParams::default(), &patch)
        .await
        .unwrap();
}

async fn one_worker(bench: &Bench) {
    let spec: Value = json!({"class": "All", "replicas": 1});
    bench.pool("workers", spec).await;
}

/// Waits for `reason`, for it to be written no more, and answers with the message. A status that changes each time it is written is written
/// for ever.
async fn told_once(bench: &Bench, reason: &str) -> String {
    condition(bench, "workers", reason).await;
    tokio::time::sleep(SOME_TIME).await;
    let first = condition(bench, "workers", reason).await;
    tokio::time::sleep(SOME_TIME).await;
    let second = condition(bench, "workers", reason).await;
    assert_eq!(
        first.metadata.resource_version, second.metadata.resource_version,
        "written again: {:?}, {:?}",
        first.status, second.status
    );
    let message = second.ready_condition().unwrap().message.clone();
    assert!(message.contains("0 of 1"), "{message}");
    message
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_whose_pods_cannot_be_made_for_now_says_so() {
    let bench = Bench::new("webhook").await;
    let hooks: Api<ValidatingWebhookConfiguration> = Api::all(bench.client.clone());
    let away = json!({
        "metadata": {"name": bench.namespace},
        "webhooks": [{
            "name": "away.provost.test",
            "clientConfig": {"url": "https://127.0.0.1:1/"},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": bench.namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 1,
        }],
    });
    create(&hooks, away).await;
    quota::refused(&bench.pods(), &probe(), "webhook").await;
    one_worker(&bench).await;
    let message = told_once(&bench, "PodFailed").await;
    assert!(message.contains("webhook"), "{message}");
    hooks
        .delete(&bench.namespace, &DeleteParams::default())
        .await
        .unwrap();
    condition(&bench, "workers", "WorkersNotReady").await;
    assert_eq!(bench.pods_of("workers").await.len(), 1);
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_whose_pods_are_refused_says_so() {
    let bench = Bench::new("pods-quota").await;
    let quota = quota::none(&bench, "count/pods", &bench.pods(), &probe()).await;
    one_worker(&bench).await;
    let message = told_once(&bench, "PodRefused").await;
    assert!(message.contains("exceeded quota"), "{message}");
    assert!(message.contains("\"workers-...\""), "{message}");
    // The counts are those of now.
    scale(&bench, 2).await;
    wait("the new size", || async {
        let pool = bench.pools().get("workers").await.unwrap();
        let message = &pool.ready_condition()?.message;
        message.starts_with("0 of 2 ").then_some(())
    })
    .await;
    quota.lift().await;
    // It would be tried again by itself, but not soon.
    scale(&bench, 3).await;
    condition(&bench, "workers", "WorkersNotReady").await;
    assert_eq!(bench.pods_of("workers").await.len(), 3);
    bench.close().await;
}
