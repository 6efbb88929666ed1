//! A proof's whole life, its tasks played as SP1 plays them.

use provost_coordinator::{Config, ProofResult, Root};
use provost_proto::worker::TaskType::{self, *};
use provost_proto::worker::{TaskStatus, WorkerTask, WorkerType};

use crate::node::{Caller, Node, collect, outcome, spec, start_in_memory};

const SHARDS: usize = 10;

/// Runs whatever the worker is given, each task on its own, as a node does.
async fn work(mut node: Node) {
    while let Some(message) = node.next().await {
        if let provost_proto::worker::server_message::Message::NewTask(task) = message {
            tokio::spawn(run(node.caller(), task));
        }
    }
}

async fn run(mut me: Caller, task: WorkerTask) {
    let data = task.data.unwrap();
    let proof = data.proof_id.as_str();
    match TaskType::try_from(data.task_type).unwrap() {
        Controller => {
            assert_eq!(data.inputs[0], "program");
            assert_eq!(data.outputs, ["proof"]);
            drive(&mut me, proof).await;
        }
        CoreExecute => execute(&mut me, proof, &task.task_id).await,
        _ => {}
    }
    me.complete(proof, &task.task_id).await.unwrap();
}

async fn all_succeed(me: &mut Caller, proof: &str, tasks: &[String]) {
    let results = me.wait(proof, tasks).await;
    assert!(
        results
            .values()
            .all(|status| *status == TaskStatus::Succeeded)
    );
}

/// The Controller: set-up, execution, then a tree of reduces over the shards that the execution names.
async fn drive(me: &mut Caller, proof: &str) {
    let vkey = me.create(proof, SetupVkey, None).await.unwrap();
    all_succeed(me, proof, &[vkey]).await;
    let execute = me.create(proof, CoreExecute, None).await.unwrap();
    let messages = me.messages(&execute, 0).await;
    let shards = collect(messages).await.unwrap();
    let shards = shards
        .into_iter()
        .map(|bytes| String::from_utf8(bytes).unwrap());
    let mut level: Vec<_> = shards.collect();
    assert_eq!(level.len(), SHARDS);
    all_succeed(me, proof, &[execute]).await;
    while level.len() > 1 {
        all_succeed(me, proof, &level).await;
        let mut next = Vec::new();
        for _ in level.chunks(4) {
            next.push(me.create(proof, RecursionReduce, None).await.unwrap());
        }
        level = next;
    }
    all_succeed(me, proof, &level).await;
    me.complete_proof(proof).await.unwrap();
}

/// CoreExecute: for each shard a marker and a ProveShard, and its name to the Controller.
async fn execute(me: &mut Caller, proof: &str, task: &str) {
    let mut markers = Vec::new();
    for i in 0..SHARDS {
        let marker = me.create(proof, MarkerDeferredRecord, None).await.unwrap();
        let id = format!("{proof}_shard_{i}");
        let shard = me.create(proof, ProveShard, Some(&id)).await.unwrap();
        let again = me.create(proof, ProveShard, Some(&id)).await.unwrap();
        assert_eq!((shard.as_str(), again.as_str()), (id.as_str(), id.as_str()));
        me.send(task, shard.as_bytes()).await.unwrap();
        markers.push(marker.clone());
        // Played here; in truth the worker that proves the shard completes its marker.
        let mut prover = Caller {
            worker: "pod/prove".to_owned(),
            client: me.client.clone(),
        };
        prover.complete(proof, &marker).await.unwrap();
    }
    all_succeed(me, proof, &markers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_proofs_at_once_on_one_pod() {
    let (server, state) = start_in_memory(Config::default()).await;
    let execute = server.worker("pod/execute", WorkerType::Cpu, 24).await;
    let prove = server.worker("pod/prove", WorkerType::Gpu, 16).await;
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
        // 3 reduces of the shards, and one of those.
        assert_eq!(tasks["RecursionReduce"].succeeded, 4);
        assert_eq!(outcome.progress.done, outcome.progress.total);
        assert!(outcome.progress.started_at.unwrap() <= outcome.finished_at);
    }
    let stats = server.coordinator.stats().await;
    assert_eq!(
        (stats.active_proofs, stats.active_tasks, stats.subscriptions),
        (0, 0, 0)
    );
    let wait = async {
        // The roots are let go of by a call that comes after the outcome.
        while server
            .coordinator
            .workers()
            .await
            .iter()
            .any(|w| w.used_weight > 0)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::node::LIMIT, wait)
        .await
        .unwrap();
}
