//! What SP1's contract alone has: subscriptions that are acknowledged, statuses on demand, calls that are repeated.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use provost_coordinator::{Config, MemoryState, Root, TaskId};
use provost_proto::worker::TaskType::*;
use provost_proto::worker::{
    AckSubRequest, GetTaskStatusesRequest, OpenSubRequest, TaskStatus, UpdateSubRequest,
    WorkerType, server_sub_message,
};
use tonic::Code;

use crate::node::{Caller, LIMIT, Node, Server, spec, start, start_in_memory};
use crate::outcomes::Away;

async fn with_proof(config: Config) -> (Server, Node, Caller) {
    let (server, _) = start_in_memory(config).await;
    let mut node = server.worker("a", WorkerType::All, 32).await;
    let proof = spec("p", Root::Prove);
    server.coordinator.submit_proof(proof).await.unwrap();
    node.task().await;
    let me = node.caller();
    (server, node, me)
}

#[tokio::test]
async fn a_result_is_sent_again_until_it_is_acknowledged() {
    let config = Config {
        resend_result: Duration::from_millis(150),
        ..Config::default()
    };
    let (_server, _node, mut me) = with_proof(config).await;
    let shard = me.create("p", ProveShard, None).await.unwrap();
    let open = OpenSubRequest {
        sub_id: "s".to_owned(),
        proof_id: "p".to_owned(),
        task_ids: vec![],
    };
    let mut stream = me.client.open_sub(open).await.unwrap().into_inner();
    let update = UpdateSubRequest {
        sub_id: "s".to_owned(),
        task_ids: vec![shard.clone()],
    };
    me.client.update_sub(update).await.unwrap();
    me.complete("p", &shard).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let next = tokio::time::timeout(LIMIT, stream.message()).await;
        let message = next.unwrap().unwrap().unwrap();
        let Some(server_sub_message::Message::TaskResult(result)) = message.message else {
            panic!()
        };
        assert_eq!(result.task_status(), TaskStatus::Succeeded);
        ids.push(message.msg_id);
    }
    assert_eq!(ids[0], ids[1], "the same message");
    let ack = AckSubRequest {
        sub_id: "s".to_owned(),
        msg_id: ids[0].clone(),
    };
    me.client.ack_sub(ack).await.unwrap();
    // What was on its way still comes.
    let quiet = async {
        let mut more = async || {
            let next = tokio::time::timeout(Duration::from_millis(500), stream.message());
            next.await.ok()
        };
        while let Some(more) = more().await {
            assert_eq!(more.unwrap().unwrap().msg_id, ids[0]);
        }
    };
    tokio::time::timeout(LIMIT, quiet).await.unwrap();
}

#[tokio::test]
async fn statuses_and_stats_are_answered() {
    let (_server, _node, mut me) = with_proof(Config::default()).await;
    let done = me.create("p", ProveShard, None).await.unwrap();
    let running = me.create("p", ProveShard, None).await.unwrap();
    me.complete("p", &done).await.unwrap();
    let request = GetTaskStatusesRequest {
        worker_id: "a".to_owned(),
        proof_id: "p".to_owned(),
        task_ids: vec![done.clone(), running.clone(), "unknown".to_owned()],
    };
    let answer = me.client.get_task_statuses(request).await.unwrap();
    let statuses = answer.into_inner().statuses;
    let found: Vec<_> = statuses
        .into_iter()
        .map(|entry| (entry.key(), entry.value.unwrap().ids))
        .collect();
    let expected = [
        (TaskStatus::Running, vec![running]),
        (TaskStatus::Succeeded, vec![done]),
    ];
    assert_eq!(found, expected);
    let stats = me.client.get_stats(()).await.unwrap().into_inner();
    assert_eq!((stats.total_tasks, stats.active_tasks), (3, 2));
    assert_eq!((stats.cpu_workers, stats.gpu_workers), (1, 1));
    assert_eq!(stats.gpu_utilization_current, 5);
    assert_eq!(stats.active_proofs, 1);
    me.client.healthcheck(()).await.unwrap();
}

#[tokio::test]
async fn a_shutdown_ends_all_streams_and_the_server() {
    let (server, mut node, mut me) = with_proof(Config::default()).await;
    let execute = me.create("p", CoreExecute, None).await.unwrap();
    let mut live = me.messages(&execute, 0).await.unwrap();
    node.task().await;
    server.shutdown.cancel();
    assert!(node.next().await.is_none());
    let last = tokio::time::timeout(LIMIT, live.message()).await.unwrap();
    assert!(!matches!(last, Ok(Some(_))), "{last:?}");
    let served = tokio::time::timeout(LIMIT, server.serving).await.unwrap();
    served.unwrap().unwrap();
}

#[tokio::test]
async fn an_outcome_that_is_said_again_is_stored_once() {
    let state = Arc::new(Away::default());
    let server = start(Config::default(), state.clone()).await;
    let mut node = server.worker("a/execute", WorkerType::Cpu, 16).await;
    let proof = spec("p", Root::Prove);
    server.coordinator.submit_proof(proof).await.unwrap();
    node.task().await;
    let mut me = node.caller();
    for _ in 0..2 {
        me.complete_proof("p", "{}").await.unwrap();
        assert_eq!(state.calls.load(Ordering::SeqCst), 3);
    }
    let unknown = me.complete_proof("q", "{}").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

#[tokio::test]
async fn a_task_that_is_created_again_under_its_name_is_the_same() {
    let (_server, mut node, mut me) = with_proof(Config::default()).await;
    for _ in 0..2 {
        let shard = me.create("p", ProveShard, Some("shard_0")).await;
        assert_eq!(shard.unwrap(), "shard_0");
    }
    assert_eq!(node.task().await.task_id, "shard_0");
    me.complete("p", "shard_0").await.unwrap();
    let other = me.create("p", ProveShard, None).await.unwrap();
    assert_eq!(node.task().await.task_id, other);
}

/// A worker that executes, and may be without a stream for so long.
async fn executing(lost_grace: Duration) -> (Server, Arc<MemoryState>, Node, TaskId) {
    let config = Config {
        lost_grace,
        ..Config::default()
    };
    let (server, state) = start_in_memory(config).await;
    let mut node = server.worker("a/execute", WorkerType::Cpu, 16).await;
    let proof = spec("p", Root::Execute);
    let root = server.coordinator.submit_proof(proof).await.unwrap();
    node.task().await;
    (server, state, node, root)
}

#[tokio::test]
async fn what_an_earlier_run_says_is_refused() {
    let (server, _, first, root) = executing(Duration::from_millis(300)).await;
    let mut second = server.worker("b/execute", WorkerType::Cpu, 16).await;
    drop(first);
    second.task().await;
    let late = second.caller().complete("p", &root).await.unwrap_err();
    assert_eq!(late.code(), Code::NotFound);
    let reason = late.metadata().get(provost_proto::headers::REASON);
    assert_eq!(reason.unwrap(), "RunOver");
}

#[tokio::test]
async fn a_worker_that_comes_back_in_time_goes_on() {
    let (server, state, first, root) = executing(Duration::from_secs(5)).await;
    drop(first);
    let back = server.worker("a/execute", WorkerType::Cpu, 16).await;
    back.caller().beat(&[("p", &root)]).await.unwrap();
    back.caller().complete_proof("p", "{}").await.unwrap();
    assert!(state.outcome("p").is_some());
}
