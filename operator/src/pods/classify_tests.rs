#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::json;

fn pod(status: serde_json::Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "small-abcde", "labels": {"provost.dev/pool": "small"}},
        "spec": {"containers": [{"name": "worker", "resources": {"limits": {"memory": "3Gi"}}}]},
        "status": status,
    }))
    .unwrap()
}

fn terminated(phase: &str, exit_code: i32, reason: &str) -> Pod {
    pod(json!({"phase": phase, "containerStatuses": [{
        "name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": exit_code, "reason": reason}},
    }]}))
}

fn class(pod: &Pod, deleted: bool) -> Ending {
    classify(pod, deleted).unwrap().ending
}

#[test]
fn oom_names_pool_limit_and_fix() {
    let end = classify(&terminated("Failed", 137, "OOMKilled"), false).unwrap();
    assert_eq!(end.ending, Ending::Failed(FailureClass::OutOfMemory));
    assert!(
        end.message.contains("pool small") && end.message.contains("3Gi"),
        "{}",
        end.message
    );
    assert!(
        end.message.contains("resources.limits.memory"),
        "{}",
        end.message
    );
}

#[test]
fn oom_counts_before_the_phase_follows() {
    assert_eq!(
        class(&terminated("Running", 137, "OOMKilled"), false),
        Ending::Failed(FailureClass::OutOfMemory)
    );
}

#[test]
fn a_kill_without_oom_or_a_crash_is_a_lost_worker() {
    assert_eq!(
        class(&terminated("Failed", 137, "Error"), false),
        Ending::Failed(FailureClass::NodeLost)
    );
    assert_eq!(
        class(&terminated("Failed", 101, "Error"), false),
        Ending::Failed(FailureClass::NodeLost)
    );
    // Whoever was killed was not stopped by what it did.
    let crash = |pod: Pod| classify(&pod, false).unwrap().crash;
    assert_eq!(
        crash(terminated("Failed", 134, "Error")),
        Some(Crash::Other)
    );
    for (code, reason) in [(137, "Error"), (137, "OOMKilled"), (75, "Error"), (0, "")] {
        let pod = terminated("Failed", code, reason);
        assert_eq!(crash(pod), None, "{code}");
    }
}

#[test]
fn a_worker_without_a_device_has_a_reason_of_its_own_and_its_tasks_a_class() {
    let end = classify(&terminated("Failed", 69, "Error"), false).unwrap();
    assert_eq!(end.crash, Some(Crash::Device));
    assert_eq!(end.class(), FailureClass::NodeLost);
    assert_eq!(end.reason(), "DeviceUnavailable");
    assert!(end.message.contains("exit code 69"), "{}", end.message);
    let other = classify(&terminated("Failed", 134, "Error"), false).unwrap();
    assert_eq!(other.reason(), "NodeLost");
    let deleted = classify(&terminated("Running", 69, "Error"), true).unwrap();
    assert_eq!(deleted.reason(), "Preempted");
}

#[test]
fn orderly_ends() {
    for pod in [
        terminated("Succeeded", 0, "Completed"),
        terminated("Failed", 75, "Error"),
    ] {
        let end = classify(&pod, false).unwrap();
        assert_eq!(end.ending, Ending::Orderly);
        assert_eq!(end.class(), FailureClass::Preempted);
    }
}

#[test]
fn eviction_is_preemption_unless_the_volume_outgrew_the_limit() {
    let evicted = pod(
        json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}),
    );
    assert_eq!(
        class(&evicted, false),
        Ending::Failed(FailureClass::Preempted)
    );
    let volume = json!({"phase": "Failed", "reason": "Evicted",
        "message": "Usage of EmptyDir volume \"shm\" exceeds the total limit of memory"});
    assert_eq!(
        class(&pod(volume), false),
        Ending::Failed(FailureClass::OutOfMemory)
    );
}

#[test]
fn taints_and_lost_nodes() {
    let taint = json!({"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True",
        "reason": "DeletionByTaintManager", "message": "Taint manager: deleting due to NoExecute taint"}]});
    assert_eq!(
        class(&pod(taint.clone()), false),
        Ending::Failed(FailureClass::NodeLost)
    );
    let mut preempted = taint;
    preempted["conditions"][0]["reason"] = "PreemptionByScheduler".into();
    assert_eq!(
        class(&pod(preempted), false),
        Ending::Failed(FailureClass::Preempted)
    );
    let lost = pod(json!({"phase": "Failed", "reason": "NodeLost", "message": "Node n1 is gone"}));
    assert_eq!(class(&lost, false), Ending::Failed(FailureClass::NodeLost));
}

#[test]
fn a_running_or_draining_pod_is_no_loss() {
    let mut running = pod(json!({"phase": "Running"}));
    assert_eq!(classify(&running, false), None);
    running.metadata.deletion_timestamp = Some(
        k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH),
    );
    assert_eq!(classify(&running, false), None);
    assert!(!ready(&running));
}

#[test]
fn a_pod_that_vanished_took_its_worker_along() {
    assert_eq!(
        class(&pod(json!({"phase": "Running"})), true),
        Ending::Orderly
    );
    assert_eq!(class(&pod(json!({})), true), Ending::Orderly);
    let end = classify(&terminated("Running", 143, "Error"), true).unwrap();
    assert_eq!(end.class(), FailureClass::Preempted);
}

#[test]
fn a_worker_that_is_not_ready_is_told_from_a_node_that_is_not() {
    let conditions = |ready: &str, containers: &str| {
        pod(json!({"phase": "Running", "conditions": [
            {"type": "Ready", "status": ready},
            {"type": "ContainersReady", "status": containers},
        ]}))
    };
    assert!(is_capacity(&conditions("True", "True")));
    // Its engine is not built yet; it may execute.
    assert!(is_capacity(&conditions("False", "False")));
    assert!(!is_capacity(&conditions("False", "True")));
    assert!(is_capacity(&pod(json!({"phase": "Pending"}))));
}
