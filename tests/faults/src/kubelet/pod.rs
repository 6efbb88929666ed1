//! What a kubelet reads from a pod, and what it writes into its status.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvVar, Pod, Secret};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::out_of_memory;
use crate::api::ApiServer;
use crate::process::Exit;

/// The worker's environment; `None` while a secret is not there.
pub(super) async fn environment(pod: &Pod, api: &ApiServer) -> Option<BTreeMap<String, String>> {
    let container = pod.spec.as_ref()?.containers.first()?;
    let mut env = BTreeMap::new();
    for variable in container.env.iter().flatten() {
        env.insert(variable.name.clone(), value(variable, pod, api).await?);
    }
    Some(env)
}

async fn value(variable: &EnvVar, pod: &Pod, api: &ApiServer) -> Option<String> {
    let Some(source) = &variable.value_from else {
        return Some(
            variable
                .value
                .clone()
                .unwrap_or_default()
                .replace("$$(", "$("),
        );
    };
    if let Some(field) = &source.field_ref {
        return match field.field_path.as_str() {
            "metadata.name" => pod.metadata.name.clone(),
            "metadata.uid" => pod.uid(),
            "metadata.namespace" => pod.namespace(),
            path => panic!("no such field: {path}"),
        };
    }
    if let Some(secret) = &source.secret_key_ref {
        let object = api.namespaced::<Secret>().get(&secret.name).await.ok()?;
        let bytes = object.data?.remove(&secret.key)?;
        return String::from_utf8(bytes.0).ok();
    }
    // A resource: the simulated worker takes no heed of its memory.
    Some(String::new())
}

/// A worker that runs.
pub(super) fn running(address: &str, ready: bool) -> Value {
    let ready_text = if ready { "True" } else { "False" };
    json!({
        "phase": "Running", "podIP": address, "conditions": conditions(ready_text),
        "containerStatuses": [container(ready, &json!({"running": {"startedAt": jiff::Timestamp::now().to_string()}}))],
    })
}

/// A worker that has ended.
pub(super) fn ended(exit: Exit) -> Value {
    let reason = match exit.code {
        0 => "Completed",
        _ if out_of_memory(exit) => "OOMKilled",
        _ => "Error",
    };
    let phase = if exit.code == 0 {
        "Succeeded"
    } else {
        "Failed"
    };
    json!({
        "phase": phase, "conditions": conditions("False"),
        "containerStatuses": [container(false, &json!({"terminated": {"exitCode": exit.code, "reason": reason}}))],
    })
}

fn conditions(ready: &str) -> Value {
    json!([
        {"type": "PodScheduled", "status": "True"},
        {"type": "Initialized", "status": "True"},
        {"type": "ContainersReady", "status": ready},
        {"type": "Ready", "status": ready},
    ])
}

fn container(ready: bool, state: &Value) -> Value {
    json!({"name": "worker", "image": "worker-sim", "imageID": "", "ready": ready, "restartCount": 0, "state": state})
}
