//! Objects that another version wrote and this one cannot read.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams, Patch, PatchParams};
use provost_artifacts::{Kind, Store as _};
use provost_operator::elsewhere::Elsewhere;
use provost_operator::sweeper::Sweeps;
use serde_json::{Value, json};

use crate::bench::{Bench, wait};
use crate::joined::{Joined, SHARDS};
use crate::pools::one_pod;
use crate::worker::{Habit, Worker};

/// A request with this time to live cannot be read by an operator with these words.
const FOREIGN: (&str, &str) = (
    r#""ttlSecondsAfterFinished":271828182"#,
    r#""ttlSecondsAfterFinished":"a while""#,
);
const TTL: u32 = 271_828_182;

async fn foreign(bench: &Bench, name: &str) {
    let program = json!({"inline": bench.program()});
    let spec = json!({"program": program, "mode": "Core", "ttlSecondsAfterFinished": TTL});
    bench.request(name, spec).await;
}

async fn until_shown(bench: &Bench, line: &str) {
    wait(line, || async {
        let metrics = bench.metrics().render();
        metrics.lines().any(|l| l == line).then_some(())
    })
    .await;
}

async fn until_unreadable(bench: &Bench, kind: &str, count: usize) {
    let line = format!("provost_unreadable_objects{{kind=\"{kind}\"}} {count}");
    until_shown(bench, &line).await;
}

/// The note of the event that tells of an object that cannot be read.
async fn note(bench: &Bench, name: &str) -> String {
    let api: Api<Event> = Api::namespaced(bench.client.clone(), &bench.namespace);
    wait("the event", || async {
        let events = api.list(&ListParams::default()).await.unwrap();
        events.into_iter().find_map(|event| {
            let about = event.regarding?.name? == name && event.reason? == "Unreadable";
            event.note.filter(|_| about)
        })
    })
    .await
}

async fn patch(bench: &Bench, name: &str, patch: Value) {
    let (api, params) = (bench.proofs(), PatchParams::default());
    api.patch(name, &params, &Patch::Merge(patch))
        .await
        .unwrap();
}

async fn has(bench: &Bench, kind: Kind, id: &str) -> bool {
    bench.store.head(kind, id).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_cannot_be_read_stops_no_other_and_loses_nothing() {
    let mut bench = Bench::space("unread").await;
    bench.words = vec![FOREIGN];
    bench.sweeps = Sweeps {
        period: Duration::from_millis(200),
        min_age: Duration::ZERO,
    };
    foreign(&bench, "odd").await;
    let orphan = "program_nobodys";
    let bytes = b"left".to_vec().into();
    bench.store.put(Kind::Program, orphan, bytes).await.unwrap();
    bench.start(&bench.namespace.clone()).await;
    let _worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    bench.core("fib").await;
    bench.state("fib", "Succeeded").await;
    until_unreadable(&bench, "ProofRequest", 1).await;
    let note = note(&bench, "odd").await;
    assert!(
        note.starts_with("spec.ttlSecondsAfterFinished: invalid type"),
        "{note}"
    );
    assert_eq!(bench.proofs().get("odd").await.unwrap().status, None);

    // It may be its own, and so may be the program of one that goes.
    bench.core("brief").await;
    bench.state("brief", "Succeeded").await;
    bench.delete("brief").await;
    let elsewhere = Elsewhere::new(bench.operator_client(), Some("elsewhere".into()));
    assert!(elsewhere.requests().await.unwrap().is_none());
    tokio::time::sleep(5 * bench.sweeps.period).await;
    assert!(has(&bench, Kind::Program, orphan).await);

    // One that turns unreadable keeps what it has, and goes on from there.
    let proof = bench.ended("fib").await.status.unwrap().proof.unwrap();
    bench
        .edit("fib", json!({"ttlSecondsAfterFinished": TTL}))
        .await;
    until_unreadable(&bench, "ProofRequest", 2).await;
    tokio::time::sleep(5 * bench.sweeps.period).await;
    assert!(has(&bench, Kind::Proof, &proof.artifact).await);
    bench
        .edit("fib", json!({"ttlSecondsAfterFinished": null}))
        .await;
    until_unreadable(&bench, "ProofRequest", 1).await;

    // One that was begun by another version holds a finalizer.
    let finalizers = json!({"metadata": {"finalizers": ["provost.dev/artifacts"]}});
    patch(&bench, "odd", finalizers).await;
    bench.delete("odd").await;
    until_unreadable(&bench, "ProofRequest", 0).await;
    wait("the orphan to go", || async {
        (!has(&bench, Kind::Program, orphan).await).then_some(())
    })
    .await;
    assert!(has(&bench, Kind::Proof, &proof.artifact).await);
    bench.delete("fib").await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_cannot_read_a_proof_under_way_leads_and_one_that_can_goes_on_with_it() {
    let mut bench = Bench::space("unread-running").await;
    let home = bench.namespace.clone();
    bench.start(&home).await;
    let first = Joined::start(&bench, &[&bench.grpc], "w-1");
    foreign(&bench, "odd").await;
    wait("running shards", || async {
        (first.shards().len() == SHARDS).then_some(())
    })
    .await;
    bench.stop().await;
    drop(first);

    bench.words = vec![FOREIGN];
    bench.restart(&home).await;
    let second = Worker::start(&bench, "w-2", Habit::Diligent).await;
    bench.core("fib").await;
    bench.state("fib", "Succeeded").await;
    let request = bench.proofs().get("odd").await.unwrap();
    assert!(!request.terminal(), "{}", request.state());
    bench.stop().await;
    drop(second);

    bench.words = Vec::new();
    bench.restart(&home).await;
    let _third = Worker::start(&bench, "w-3", Habit::Diligent).await;
    bench.state("odd", "Succeeded").await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_cannot_read_the_tasks_has_them_done_again() {
    let mut bench = Bench::space("unread-tasks").await;
    let home = bench.namespace.clone();
    bench.start(&home).await;
    let first = Joined::start(&bench, &[&bench.grpc], "w-1");
    bench.core("fib").await;
    wait("the objects of running tasks", || async {
        let tasks = bench.tasks().list(&ListParams::default()).await.unwrap();
        let runs = |task: &&provost_crds::ProvingTask| {
            task.status
                .as_ref()
                .is_some_and(|status| status.state == provost_crds::TaskState::Running)
        };
        (tasks.iter().filter(runs).count() == SHARDS + 1).then_some(())
    })
    .await;
    bench.stop().await;
    drop(first);

    bench.words = vec![(r#""state":"Running""#, r#""state":"Resting""#)];
    bench.restart(&home).await;
    let _second = Worker::start(&bench, "w-2", Habit::Diligent).await;
    bench.state("fib", "Succeeded").await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_cannot_be_read_keeps_its_workers_and_stops_no_other() {
    let mut bench = Bench::space("unread-pool").await;
    let home = bench.namespace.clone();
    bench.start(&home).await;
    let spec = |permits: u32| json!({"class": "All", "image": "w:1", "proverPermits": permits});
    bench.pool("odd", spec(63)).await;
    one_pod(&bench, "odd", &[]).await;
    bench.stop().await;

    bench.words = vec![(r#""proverPermits":63"#, r#""proverPermits":"some""#)];
    bench.restart(&home).await;
    until_unreadable(&bench, "WorkerPool", 1).await;
    bench.pool("even", spec(1)).await;
    one_pod(&bench, "even", &[]).await;
    let note = note(&bench, "odd").await;
    assert!(
        note.starts_with("spec.proverPermits: invalid type"),
        "{note}"
    );
    assert_eq!(bench.pods_of("odd").await.len(), 1);
    bench.close().await;
}
