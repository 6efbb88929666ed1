//! Proofs that go well.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kube::ResourceExt;
use kube::api::ListParams;
use provost_artifacts::{Kind, Store as _, id};
use provost_crds::{ProofRequest, ProvingTaskStatus, TaskState};
use provost_operator::elsewhere::Elsewhere;
use provost_operator::key::ProofKey;
use provost_proto::worker::TaskType;
use serde_json::json;

use crate::admission::task;
use crate::bench::{Bench, wait};
use crate::quota;
use crate::worker::{Habit, Worker};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_proof_from_spec_to_nothing_left() {
    let bench = Bench::new("core").await;
    let worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    let spec = json!({"program": {"inline": bench.program()}, "mode": "Core", "stdin": {"entries": [{"u32": 20}]}});
    bench.request("fib", spec).await;
    let request = bench.state("fib", "Succeeded").await;
    let status = request.status.unwrap();
    let proof = status.proof.unwrap();
    assert_eq!(proof.vk_hash.as_deref(), Some("0x12"));
    assert_eq!(proof.sha256.len(), 64);
    assert!(
        bench
            .stored()
            .await
            .contains(&format!("proofs/{}", proof.artifact))
    );
    assert_eq!(status.execution.unwrap().cycles, 42);
    assert!(status.program_id.unwrap().starts_with("program_"));
    assert_eq!(status.tasks["ProveShard"].succeeded, 2);
    let timings = status.timings.unwrap();
    assert!(
        timings.queue_millis.is_some()
            && timings.prove_millis.is_some()
            && timings.total_millis.is_some()
    );
    assert!(status.duration.is_some());
    assert!(worker.seen().contains(&TaskType::ProveShard));
    let counts = &status.tasks["ProveShard"];
    assert_eq!((counts.succeeded, counts.running), (2, 0));
    // The request has counted its tasks: their objects are gone.
    wait("no objects of finished tasks", || async {
        let tasks = bench.tasks().list(&ListParams::default()).await.unwrap();
        tasks.items.is_empty().then_some(())
    })
    .await;
    for reason in ["Pending", "Succeeded"] {
        bench.event("fib", reason).await;
    }
    // What the tasks left goes at once, the rest with the object.
    wait("the sweep", || async {
        (!bench
            .stored()
            .await
            .iter()
            .any(|key| key.starts_with("artifacts/")))
        .then_some(())
    })
    .await;
    assert_eq!(bench.stored().await.len(), 3);
    // What grows with every proof is no label.
    let (metrics, request) = (
        bench.metrics().render(),
        bench.proofs().get("fib").await.unwrap(),
    );
    for own in ["fib", &bench.namespace, &request.uid().unwrap()] {
        assert!(!metrics.contains(own), "{own}");
    }
    bench.delete("fib").await;
    assert!(bench.stored().await.is_empty());
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn execute_reports_and_a_shared_program_outlives_one_request() {
    let bench = Bench::new("execute").await;
    let _worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    for name in ["one", "two"] {
        bench
            .request(
                name,
                json!({"program": {"inline": bench.program()}, "mode": "Execute"}),
            )
            .await;
    }
    for name in ["one", "two"] {
        let request = bench.state(name, "Succeeded").await;
        let status = request.status.unwrap();
        let execution = status.execution.unwrap();
        assert_eq!(
            (execution.cycles, execution.exit_code, execution.gas),
            (42, Some(3), Some(7))
        );
        assert_eq!(status.proof, None);
    }
    bench.delete("one").await;
    assert_eq!(
        bench
            .stored()
            .await
            .iter()
            .filter(|key| key.starts_with("programs/"))
            .count(),
        1
    );
    bench.delete("two").await;
    assert!(bench.stored().await.is_empty());
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_namespace_needs_that_is_not_served_stays() {
    let bench = Bench::new("apart").await;
    let other = Bench::space("elsewhere").await;
    let _worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    let program = json!({"inline": bench.program()});
    bench
        .request("one", json!({"program": program, "mode": "Execute"}))
        .await;
    let status = bench.state("one", "Succeeded").await.status.unwrap();
    let program = status.program_id.unwrap();
    other
        .request("two", json!({"program": {"artifact": program}}))
        .await;
    bench.delete("one").await;
    assert_eq!(bench.stored().await, [format!("programs/{program}")]);
    let seen = |scope: &str| Elsewhere::new(bench.operator_client(), Some(scope.to_owned()));
    let found = seen(&bench.namespace).requests().await.unwrap().unwrap();
    let two = |r: &Arc<ProofRequest>| r.namespace().as_ref() == Some(&other.namespace);
    assert!(found.iter().any(two));
    let found = seen(&other.namespace).requests().await.unwrap().unwrap();
    assert!(!found.iter().any(two));
    other.close().await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_that_a_quota_keeps_from_beginning_says_so_and_begins_later() {
    let bench = Bench::new("quota").await;
    let _worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    let counted = "count/provingtasks.provost.dev";
    let quota = quota::none(&bench, counted, &bench.tasks(), &task("refused")).await;
    bench.core("fib").await;
    let request = bench.state("fib", "Unschedulable").await;
    assert!(
        request.message().contains("exceeded quota: none"),
        "{}",
        request.message()
    );
    // One that is not to begin any more does not begin when it could.
    bench.core("later").await;
    bench.state("later", "Unschedulable").await;
    bench.edit("later", json!({"suspend": true})).await;
    bench.state("later", "Suspended").await;
    quota.lift().await;
    bench.state("fib", "Succeeded").await;
    // Longer than the wait before the next attempt.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let tasks = bench.tasks().list(&ListParams::default()).await.unwrap();
    assert!(tasks.items.is_empty(), "{:?}", tasks.items);
    let metrics = bench.metrics().render();
    assert!(metrics.contains("provost_unstored{what=\"run\"} 0"));
    bench.edit("later", json!({"suspend": false})).await;
    bench.state("later", "Succeeded").await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suspend_deadline_and_ttl() {
    let bench = Bench::new("suspend").await;
    let _worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    let program = json!({"inline": bench.program()});
    bench
        .request(
            "late",
            json!({"program": program, "mode": "Execute", "suspend": true}),
        )
        .await;
    bench.state("late", "Suspended").await;
    bench.edit("late", json!({"suspend": false})).await;
    bench.state("late", "Succeeded").await;
    bench
        .request("never", json!({"program": program, "suspend": true}))
        .await;
    bench.state("never", "Suspended").await;
    let soon = jiff::Timestamp::now() + Duration::from_secs(2);
    bench
        .edit(
            "never",
            json!({"deadline": soon.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}),
        )
        .await;
    bench.state("never", "Expired").await;
    bench
        .edit("never", json!({"ttlSecondsAfterFinished": 0}))
        .await;
    wait("the object's end", || async {
        bench
            .proofs()
            .get_opt("never")
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_proof_that_is_suspended_starts_over() {
    let bench = Bench::new("pause").await;
    let slow = Worker::start(&bench, "w-1", Habit::Slow).await;
    bench.core("fib").await;
    let request = bench.state("fib", "Proving").await;
    let left = handed_over(&bench, &request, 1).await;
    bench.edit("fib", json!({"suspend": true})).await;
    bench.state("fib", "Suspended").await;
    wait("an idle worker", || async {
        bench
            .coordinator()
            .workers()
            .await
            .iter()
            .all(|w| w.used_weight == 0)
            .then_some(())
    })
    .await;
    drop(slow);
    // Late progress of what was stopped changes nothing.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    bench.state("fib", "Suspended").await;
    // It begins anew when it goes on: what it had made is gone by then, and what came late goes with the next run.
    removed(&bench, &left).await;
    let late = handed_over(&bench, &request, 2).await;
    let waits = Worker::start(&bench, "w-2", Habit::Slow).await;
    bench.edit("fib", json!({"suspend": false})).await;
    bench.state("fib", "Proving").await;
    removed(&bench, &late).await;
    drop(waits);
    let _worker = Worker::start(&bench, "w-3", Habit::Diligent).await;
    let request = bench.state("fib", "Succeeded").await;
    // What the first life's workers may say yet is of an earlier run.
    assert!(request.status.unwrap().run >= Some(1));
    bench.close().await;
}

/// An artifact as a task of the request's proof would hand it to another.
async fn handed_over(bench: &Bench, request: &ProofRequest, number: u64) -> String {
    let id = id::mint(ProofKey::of(request).tag(), 1, number);
    let shard = Bytes::from_static(b"shard");
    bench.store.put(Kind::Artifact, &id, shard).await.unwrap();
    Kind::Artifact.key(&id)
}

async fn removed(bench: &Bench, key: &str) {
    wait("what tasks handed over to go", || async {
        let stored = bench.stored().await;
        (!stored.iter().any(|other| other == key)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_operator_takes_up_what_was_running() {
    let mut bench = Bench::new("restart").await;
    let home = bench.namespace.clone();
    let slow = Worker::start(&bench, "w-1", Habit::Slow).await;
    bench.core("fib").await;
    bench.state("fib", "Proving").await;
    wait("the root's object", || async {
        let tasks = bench
            .tasks()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items;
        tasks
            .iter()
            .any(|t| {
                let running = |s: &ProvingTaskStatus| s.state == TaskState::Running;
                let owner = &t.metadata.owner_references.as_ref().unwrap()[0].name;
                t.spec.root && owner == "fib" && t.status.as_ref().is_some_and(running)
            })
            .then_some(())
    })
    .await;
    bench.stop().await;
    drop(slow);
    bench.start(&home).await;
    let _worker = Worker::start(&bench, "w-2", Habit::Diligent).await;
    bench.state("fib", "Succeeded").await;
    // The first operator's tasks are gone, and the second's are done.
    wait("no tasks", || async {
        let tasks = bench.tasks().list(&ListParams::default()).await.unwrap();
        tasks.items.is_empty().then_some(())
    })
    .await;
    bench.close().await;
}
