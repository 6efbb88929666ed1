//! Why a pod is not ready, in one line. Pure.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// Why `pod` is not ready, beginning with its name; `None` if it just takes its time.
pub fn problem(pod: &Pod) -> Option<String> {
    let why = unscheduled(pod).or_else(|| waiting(pod))?;
    Some(format!("{}: {why}", pod.name_any()))
}

fn unscheduled(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions
        .iter()
        .find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
    let reason = condition.reason.as_deref().unwrap_or("not scheduled");
    Some(join(reason, condition.message.as_deref()))
}

fn waiting(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let waiting = statuses
        .iter()
        .find_map(|s| s.state.as_ref()?.waiting.as_ref())?;
    let reason = waiting
        .reason
        .as_deref()
        .filter(|reason| !matches!(*reason, "ContainerCreating" | "PodInitializing"))?;
    Some(join(reason, waiting.message.as_deref()))
}

fn join(reason: &str, message: Option<&str>) -> String {
    message.map_or_else(
        || reason.to_owned(),
        |message| format!("{reason}: {message}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn pod(status: serde_json::Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "w-1"}, "status": status})).unwrap()
    }

    #[test]
    fn names_what_holds_a_pod_up() {
        let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes fit"});
        assert_eq!(
            problem(&pod(json!({"conditions": [condition]}))).unwrap(),
            "w-1: Unschedulable: 0/1 nodes fit"
        );
        let container = |reason: &str| {
            json!({"name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": reason, "message": "m"}}})
        };
        let status = |reason: &str| json!({"containerStatuses": [container(reason)]});
        assert_eq!(
            problem(&pod(status("ErrImagePull"))).unwrap(),
            "w-1: ErrImagePull: m"
        );
        assert_eq!(problem(&pod(status("ContainerCreating"))), None);
        assert_eq!(problem(&pod(json!({}))), None);
    }
}
