//! The status subresource, with a status as full as it gets.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use kube::api::{Patch, PatchParams, PostParams};
use provost_crds::{
    Execution, Failure, FailureClass, Limits, Mode, Program, ProofOutput, ProofRequest,
    ProofRequestSpec, ProofRequestStatus, ShardSize, TaskCounts, Timings, conditions, reasons,
};
use serde_json::json;

use crate::space::{Space, object};

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn full_status() -> ProofRequestStatus {
    let mut list = Vec::new();
    conditions::set(
        &mut list,
        conditions::SUCCEEDED,
        conditions::FALSE,
        FailureClass::ProgramFault.as_str(),
        "exit code 7",
        Some(1),
        time(1_800_000_221),
    );
    ProofRequestStatus {
        observed_generation: Some(1),
        conditions: list,
        progress: Some("7/12".into()),
        eta_seconds: Some(0),
        program_id: Some("program_00".into()),
        stdin_id: Some("artifact_01".into()),
        execution: Some(Execution {
            cycles: 18_320,
            gas: Some(7),
            exit_code: Some(7),
            public_values_hash: Some("ab".repeat(32)),
        }),
        proof: Some(ProofOutput {
            artifact: "artifact_02".into(),
            size_bytes: 1_400_000,
            sha256: "cd".repeat(32),
            vk_hash: Some(format!("0x{}", "00".repeat(32))),
            sp1_version: "v6.1.0".into(),
        }),
        failure: Some(Failure {
            class: FailureClass::ProgramFault,
            task: Some("task_1".into()),
            task_type: Some("Controller".into()),
            message: "exit code 7".into(),
        }),
        run: Some(1),
        tasks: BTreeMap::from([(
            "ProveShard".into(),
            TaskCounts {
                succeeded: 7,
                failed: 1,
                ..TaskCounts::default()
            },
        )]),
        gpu_seconds: Some(12),
        shard_size: Some(ShardSize::Full),
        timings: Some(Timings {
            seen_at: Some(MicroTime(time(1_800_000_000))),
            queued_at: Some(MicroTime(time(1_800_000_000))),
            started_at: Some(MicroTime(time(1_800_000_001))),
            finished_at: Some(MicroTime(time(1_800_000_222))),
            queue_millis: Some(1_000),
            prove_millis: Some(221_000),
            total_millis: Some(222_000),
        }),
        duration: Some("3m41s".into()),
    }
}

#[tokio::test]
async fn a_full_status_is_read_back_as_written() {
    let space = Space::new("status").await;
    let proofs = space.proofs();
    let spec = ProofRequestSpec {
        program: Program {
            inline: Some("AAAA".into()),
            ..Program::default()
        },
        mode: Mode::Groth16,
        limits: Limits {
            cycles: Some(1),
            gas: None,
            parallelism: Some(3),
            backoff: Some(4),
        },
        deadline: Some(Time(time(1_900_000_000))),
        ttl_seconds_after_finished: Some(60),
        ..ProofRequestSpec::default()
    };
    let mut object = ProofRequest::new("full", spec);
    // The main resource does not take a status.
    object.status = Some(full_status());
    let post = PostParams::default();
    let mut object = proofs.create(&post, &object).await.unwrap();
    assert_eq!(object.status, None);
    assert!(!object.terminal());
    assert_eq!(object.state(), reasons::PENDING);

    object.status = Some(full_status());
    object.spec.priority = 9;
    proofs.replace_status("full", &post, &object).await.unwrap();
    let read = proofs.get("full").await.unwrap();
    assert_eq!(read.status, Some(full_status()));
    assert_eq!(
        read.spec.priority, 0,
        "a status write does not change the spec"
    );
    assert_eq!(read.metadata.generation, Some(1));
    assert!(read.terminal() && !read.succeeded());
    assert_eq!(
        (read.state(), read.message()),
        ("ProgramFault", "exit code 7")
    );
    assert_eq!(read.delete_at(), Some(time(1_800_000_282)));
    space.close().await;
}

#[tokio::test]
async fn a_bad_status_is_refused() {
    let space = Space::new("bad-status").await;
    let object = object(
        "ProofRequest",
        "bad",
        json!({"program": {"artifact": "program_00"}}),
    );
    space.apply(&object).await.unwrap();
    let condition = |reason: &str, status: &str| {
        json!({"conditions": [{
            "type": "Succeeded", "status": status, "reason": reason, "message": "",
            "lastTransitionTime": "2027-01-01T00:00:00Z",
        }]})
    };
    for (status, says) in [
        (condition("", "True"), "at least 1 chars long"),
        (condition("not camel", "True"), "should match"),
        (
            condition("Succeeded", "Yes"),
            "supported values: \"True\", \"False\", \"Unknown\"",
        ),
        (
            json!({"failure": {"class": "Unlucky", "message": ""}}),
            "supported values: \"Preempted\"",
        ),
        (
            json!({"execution": {"cycles": -1}}),
            "greater than or equal to 0",
        ),
    ] {
        let patch = Patch::Merge(json!({"status": status}));
        let error = space
            .proofs()
            .patch_status("bad", &PatchParams::default(), &patch)
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains(says),
            "{says:?} is not in {error}"
        );
    }
    space.close().await;
}

#[tokio::test]
async fn conditions_of_two_writers_are_kept_by_type() {
    let space = Space::new("conditions").await;
    let object = object("WorkerPool", "pool", json!({"class": "CPU"}));
    space.apply(&object).await.unwrap();
    for (manager, type_) in [("one", "Ready"), ("other", "Degraded")] {
        let status = json!({
            "apiVersion": "provost.dev/v1alpha1",
            "kind": "WorkerPool",
            "status": {"conditions": [{
                "type": type_, "status": "True", "reason": "Test", "message": "",
                "lastTransitionTime": "2027-01-01T00:00:00Z",
            }]},
        });
        let params = PatchParams::apply(manager);
        space
            .pools()
            .patch_status("pool", &params, &Patch::Apply(status))
            .await
            .unwrap();
    }
    let pool = space.pools().get("pool").await.unwrap();
    let types: Vec<_> = pool
        .status
        .as_ref()
        .unwrap()
        .conditions
        .iter()
        .map(|c| c.type_.as_str())
        .collect();
    assert_eq!(types, ["Ready", "Degraded"]);
    assert_eq!(pool.ready_condition().unwrap().status, conditions::TRUE);
    space.close().await;
}
