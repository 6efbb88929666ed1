//! A proof's whole life, its tasks played as SP1 plays them.

use provost_coordinator::{Config, ProofResult, Root};
use provost_proto::worker::TaskType::*;
use provost_proto::worker::{TaskStatus, WorkerType};

use crate::node::{LIMIT, outcome, spec, start_in_memory};
use crate::worker::{Hand, Task, Worker, by_either_door};

by_either_door!(three_proofs_at_once_on_two_pods);

const SHARDS: usize = 100;

/// Runs whatever the worker is given, each task on its own, as a node does.
async fn work<W: Worker>(mut worker: W) {
    while let Some(task) = worker.next().await {
        tokio::spawn(run(worker.hand(), task));
    }
}

async fn run<H: Hand>(me: H, task: H::Task) {
    match task.kind() {
        Controller => {
            assert_eq!(task.inputs()[0], "program");
            assert_eq!(task.outputs(), ["proof"]);
            drive(&me, &task).await;
        }
        CoreExecute => execute(&me, &task).await,
        _ => {}
    }
    me.complete(task).await;
}

async fn all_succeed<H: Hand>(me: &H, parent: &H::Task, tasks: &[String]) {
    for status in me.results(parent, tasks).await {
        assert_eq!(status, TaskStatus::Succeeded);
    }
}

/// The Controller: set-up, execution, then a tree of reduces over the shards that the execution names.
async fn drive<H: Hand>(me: &H, root: &H::Task) {
    let vkey = me.create(root, SetupVkey).await;
    all_succeed(me, root, &[vkey]).await;
    let execute = me.create(root, CoreExecute).await;
    let shards = me.hear(root, &execute, 0).await.unwrap();
    let shards = shards
        .into_iter()
        .map(|bytes| String::from_utf8(bytes).unwrap());
    let mut level: Vec<_> = shards.collect();
    assert_eq!(level.len(), SHARDS);
    all_succeed(me, root, &[execute]).await;
    while level.len() > 1 {
        all_succeed(me, root, &level).await;
        let mut next = Vec::new();
        for _ in level.chunks(4) {
            next.push(me.create(root, RecursionReduce).await);
        }
        level = next;
    }
    all_succeed(me, root, &level).await;
    me.conclude(root, r#"{"cycles":7}"#).await;
}

/// CoreExecute: for each shard a marker and a ProveShard, and its name to the Controller.
async fn execute<H: Hand>(me: &H, task: &H::Task) {
    let mut markers = Vec::new();
    for _ in 0..SHARDS {
        let marker = me.create(task, MarkerDeferredRecord).await;
        let shard = me.create(task, ProveShard).await;
        me.say(task, shard.as_bytes()).await;
        // Played here; in truth the worker that proves the shard completes its marker.
        me.complete_marker(task, &marker).await;
        markers.push(marker);
    }
    all_succeed(me, task, &markers).await;
}

async fn three_proofs_at_once_on_two_pods<W: Worker>() {
    let (server, state) = start_in_memory(Config::default()).await;
    let execute = W::join(&server, "execute", WorkerType::Cpu, 27).await;
    let prove = W::join(&server, "prove", WorkerType::Gpu, 16).await;
    tokio::spawn(work(execute));
    tokio::spawn(work(prove));
    let proofs = ["p0", "p1", "p2"];
    for proof in proofs {
        let spec = spec(proof, Root::Prove);
        server.coordinator.submit_proof(spec).await.unwrap();
    }
    for proof in proofs {
        let outcome = outcome(&state, proof).await;
        let ProofResult::Succeeded { extra_data } = outcome.result else {
            panic!("{:?}", outcome.result)
        };
        assert_eq!(extra_data, r#"{"cycles":7}"#);
        let tasks = &outcome.progress.tasks;
        assert_eq!(tasks["ProveShard"].succeeded as usize, SHARDS);
        assert_eq!(tasks["MarkerDeferredRecord"].succeeded as usize, SHARDS);
        // 25 reduces of the shards, 7 of those, then 2 and 1.
        assert_eq!(tasks["RecursionReduce"].succeeded, 35);
        assert_eq!(outcome.progress.done, outcome.progress.total);
        assert!(outcome.progress.started_at.unwrap() <= outcome.finished_at);
        assert_eq!(state.run_of(proof).unwrap().run, 0);
    }
    let wait = async {
        // The roots are let go of by a call that comes after the outcome.
        while server.used().await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.unwrap();
    let stats = server.coordinator.stats().await;
    assert_eq!(
        (stats.active_proofs, stats.active_tasks, stats.subscriptions),
        (0, 0, 0)
    );
    server.shutdown.cancel();
    let served = tokio::time::timeout(LIMIT, server.serving).await;
    served.expect("the server ends in time").unwrap().unwrap();
}
