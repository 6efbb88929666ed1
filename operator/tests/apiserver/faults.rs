//! Proofs that do not go well, and what their users see.

use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use provost_artifacts::{Kind, Store};
use provost_coordinator::Loss;
use provost_crds::{FailureClass, ProvingTask};
use serde_json::json;

use crate::bench::{Bench, create, wait};
use crate::worker::{Habit, Worker};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_program_is_the_users_fault_and_says_why() {
    let bench = Bench::new("badelf").await;
    bench
        .request("text", json!({"program": {"inline": "IyEvYmluL3NoCg=="}}))
        .await;
    let request = bench.state("text", "ProgramFault").await;
    assert!(
        request
            .message()
            .starts_with("spec.program.inline: not an ELF file"),
        "{}",
        request.message()
    );
    assert_eq!(
        request.status.unwrap().failure.unwrap().class,
        FailureClass::ProgramFault
    );
    bench.event("text", "ProgramFault").await;
    bench
        .request("gone", json!({"program": {"artifact": "program_0"}}))
        .await;
    assert!(
        bench
            .state("gone", "ProgramFault")
            .await
            .message()
            .contains("is not in the artifact store")
    );
    bench
        .request(
            "wrap",
            json!({"program": {"inline": bench.program()}, "mode": "Groth16"}),
        )
        .await;
    assert!(
        bench
            .state("wrap", "ProgramFault")
            .await
            .message()
            .contains("spec.mode: Groth16 is not supported yet")
    );
    for name in ["text", "gone", "wrap"] {
        bench.delete(name).await;
    }
    assert!(bench.stored().await.is_empty());
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_map_may_come_later() {
    let bench = Bench::new("configmap").await;
    let _worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    let spec = json!({"program": {"configMap": {"name": "elf", "key": "fib"}}, "mode": "Execute"});
    bench.request("fib", spec).await;
    assert!(
        bench
            .state("fib", "ConfigMapNotFound")
            .await
            .message()
            .contains("spec.program.configMap")
    );
    let maps = kube::Api::<k8s_openapi::api::core::v1::ConfigMap>::namespaced(
        bench.client.clone(),
        &bench.namespace,
    );
    create(
        &maps,
        json!({"metadata": {"name": "elf"}, "binaryData": {"fib": bench.program()}}),
    )
    .await;
    bench.state("fib", "Succeeded").await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_that_begins_again_needs_its_config_map_no_more() {
    let bench = Bench::new("kept").await;
    let maps = kube::Api::<k8s_openapi::api::core::v1::ConfigMap>::namespaced(
        bench.client.clone(),
        &bench.namespace,
    );
    create(
        &maps,
        json!({"metadata": {"name": "elf"}, "binaryData": {"fib": bench.program()}}),
    )
    .await;
    let slow = Worker::start(&bench, "w-1", Habit::Slow).await;
    let spec = json!({"program": {"configMap": {"name": "elf", "key": "fib"}}, "mode": "Core"});
    bench.request("fib", spec).await;
    let first = bench.state("fib", "Proving").await.status.unwrap();
    assert!(first.program_id.is_some());
    bench.edit("fib", json!({"suspend": true})).await;
    bench.state("fib", "Suspended").await;
    drop(slow);
    maps.delete("elf", &DeleteParams::default()).await.unwrap();
    let _worker = Worker::start(&bench, "w-2", Habit::Diligent).await;
    bench.edit("fib", json!({"suspend": false})).await;
    let last = bench.state("fib", "Succeeded").await.status.unwrap();
    assert_eq!(last.program_id, first.program_id);
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_down_is_waited_for() {
    let bench = Bench::new("store").await;
    let _worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    bench.store.set_available(false);
    bench.core("fib").await;
    let request = bench.state("fib", "StoreUnavailable").await;
    assert_eq!(request.succeeded_condition().unwrap().status, "Unknown");
    bench.event("fib", "StoreUnavailable").await;
    bench.store.set_available(true);
    bench.state("fib", "Succeeded").await;
    assert!(
        bench
            .metrics()
            .render()
            .contains("provost_store_errors_total{reason=\"StoreUnavailable\"}")
    );
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_that_a_worker_reports_ends_the_proof() {
    let bench = Bench::new("fault").await;
    let _worker = Worker::start(&bench, "w-1", Habit::Faulty).await;
    bench.core("fib").await;
    let request = bench.state("fib", "ProgramFault").await;
    assert!(
        request.message().contains("exit code 1"),
        "{}",
        request.message()
    );
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_is_quick_and_frees_the_worker() {
    let bench = Bench::new("cancel").await;
    let worker = Worker::start(&bench, "w-1", Habit::Slow).await;
    bench.core("fib").await;
    bench.state("fib", "Proving").await;
    let began = Instant::now();
    bench.edit("fib", json!({"cancel": true})).await;
    bench.state("fib", "Cancelled").await;
    // The worker would never end.
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "took {:?}",
        began.elapsed()
    );
    // Its unfinished tasks are not left standing as running.
    nothing_runs(&bench).await;
    drop(worker);
    bench.delete("fib").await;
    assert!(bench.stored().await.is_empty());
    bench.close().await;
}

/// Waits until no worker has anything to do, and no task has an object.
async fn nothing_runs(bench: &Bench) {
    wait("idle workers and no tasks", || async {
        let workers = bench.coordinator().workers().await;
        let tasks = bench.tasks().list(&ListParams::default()).await.unwrap();
        let idle = workers.iter().all(|worker| worker.used_weight == 0);
        (idle && tasks.items.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_runs_for_a_request_that_has_ended() {
    let bench = Bench::new("ended").await;
    let _worker = Worker::start(&bench, "w-1", Habit::Slow).await;
    bench.core("fib").await;
    bench.state("fib", "Proving").await;
    // The last leader's word, which this one had not seen when it took the proof up.
    let condition = json!({
        "type": "Succeeded", "status": "False", "reason": "Expired", "message": "late",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let status = Patch::Merge(json!({"status": {"conditions": [condition]}}));
    bench
        .proofs()
        .patch_status("fib", &PatchParams::default(), &status)
        .await
        .unwrap();
    nothing_runs(&bench).await;
    assert_eq!(bench.proofs().get("fib").await.unwrap().message(), "late");
    bench.delete("fib").await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_goes_without_a_word_takes_its_proof_along() {
    let bench = Bench::new("abrupt").await;
    let _worker = Worker::start(&bench, "w-1", Habit::Slow).await;
    bench.core("fib").await;
    bench.state("fib", "Proving").await;
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    let (proofs, as_anybody) = (bench.proofs(), PatchParams::default());
    let unguarded = async || {
        proofs.patch("fib", &as_anybody, &none).await.unwrap();
    };
    unguarded().await;
    wait("the finalizer again", || async {
        let request = bench.proofs().get("fib").await.unwrap();
        (!request.finalizers().is_empty()).then_some(())
    })
    .await;
    unguarded().await;
    let at_once = DeleteParams::default();
    bench.proofs().delete("fib", &at_once).await.unwrap();
    wait("idle workers", || async {
        let workers = bench.coordinator().workers().await;
        let idle = !workers.is_empty() && workers.iter().all(|w| w.used_weight == 0);
        idle.then_some(())
    })
    .await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delete_while_running_leaves_nothing() {
    let bench = Bench::new("delete").await;
    let _worker = Worker::start(&bench, "w-1", Habit::Slow).await;
    let request = bench.core("fib").await;
    bench.state("fib", "Proving").await;
    let key = provost_operator::key::ProofKey::of(&request);
    let leftover = provost_artifacts::id::mint(key.tag(), 1, 7);
    bench
        .store
        .put(Kind::Artifact, &leftover, bytes::Bytes::new())
        .await
        .unwrap();
    bench.delete("fib").await;
    assert!(bench.stored().await.is_empty());
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_proof_of_an_earlier_operator_is_not_made_again() {
    let mut bench = Bench::new("found").await;
    let home = bench.namespace.clone();
    let worker = Worker::start(&bench, "w-1", Habit::Slow).await;
    let request = bench.core("fib").await;
    bench.state("fib", "Proving").await;
    bench.stop().await;
    drop(worker);
    let key = provost_operator::key::ProofKey::of(&request);
    let artifact = key.proof_artifact(provost_operator::key::created_ms(&request));
    bench
        .store
        .put(Kind::Proof, &artifact, bytes::Bytes::from_static(b"proof"))
        .await
        .unwrap();
    bench.start(&home).await;
    let request = bench.state("fib", "Succeeded").await;
    assert_eq!(request.status.unwrap().proof.unwrap().size_bytes, 5);
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_pool_the_way_out_is_named() {
    let bench = Bench::new("nopool").await;
    bench.core("fib").await;
    let request = bench.state("fib", "Unschedulable").await;
    assert!(
        request.message().contains("create a WorkerPool"),
        "{}",
        request.message()
    );
    let _worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    bench.state("fib", "Succeeded").await;
    bench
        .proofs()
        .delete("fib", &DeleteParams::default())
        .await
        .unwrap();
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_that_takes_three_workers_along_fails_though_each_time_another_leads() {
    let mut bench = Bench::new("poison").await;
    let home = bench.namespace.clone();
    bench.core("fib").await;
    for round in 1..=3 {
        let pod = format!("w-{round}");
        let worker = Worker::start(&bench, &pod, Habit::Slow).await;
        wait("the root on the worker", || async {
            (!worker.seen().is_empty()).then_some(())
        })
        .await;
        let loss = Loss::new(
            provost_coordinator::FailureClass::NodeLost,
            "its node is gone",
        );
        bench.coordinator().worker_lost(&pod, loss).await;
        drop(worker);
        if round == 3 {
            break;
        }
        // What the next leader reads.
        wait("the next run with its count", || async {
            let tasks = bench.tasks().list(&ListParams::default()).await.unwrap();
            let counted = |task: &ProvingTask| {
                let counts = task.spec.failed_attempts.get("Controller");
                counts.is_some_and(|counts| counts.lost_workers == round)
            };
            tasks.iter().any(counted).then_some(())
        })
        .await;
        assert!(!bench.proofs().get("fib").await.unwrap().terminal());
        bench.stop().await;
        bench.start(&home).await;
    }
    let request = bench.state("fib", "NodeLost").await;
    let failure = request.status.unwrap().failure.unwrap();
    assert_eq!(failure.task_type.as_deref(), Some("Controller"));
    bench.delete("fib").await;
    bench.close().await;
}
