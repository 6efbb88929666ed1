//! How proofs end: acknowledgement, cancellation, failures, losses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use provost_coordinator::{
    Config, FailureClass, Loss, ProofOutcome, ProofProgress, ProofResult, Root, State, StateError,
    TaskChange, WorkerEvent,
};
use provost_proto::worker::TaskType::*;
use provost_proto::worker::{FailProofRequest, WorkerType, server_message::Message};
use tonic::Code;

use crate::node::{LIMIT, outcome, spec, start, start_in_memory};

/// A state that is away for the first few calls.
#[derive(Default)]
struct Away {
    calls: AtomicU32,
}

impl State for Away {
    fn record(&self, _: TaskChange) {}
    fn progress(&self, _: ProofProgress) {}
    fn finish_proof(&self, _: ProofOutcome) -> BoxFuture<'_, Result<(), StateError>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        async move {
            match call {
                0 | 1 => Err(StateError::Unavailable("away".to_owned())),
                _ => Ok(()),
            }
        }
        .boxed()
    }
}

#[tokio::test]
async fn an_outcome_is_acknowledged_once_it_is_stored() {
    let state = Arc::new(Away::default());
    let server = start(Config::default(), state.clone()).await;
    let mut node = server.worker("a/execute", WorkerType::Cpu, 16).await;
    let proof = spec("p", Root::Prove);
    server.coordinator.submit_proof(proof).await.unwrap();
    node.task().await;
    let mut me = node.caller();
    me.complete_proof("p").await.unwrap();
    assert_eq!(state.calls.load(Ordering::SeqCst), 3);
    me.complete_proof("p").await.unwrap();
    assert_eq!(state.calls.load(Ordering::SeqCst), 3, "stored once");
    let unknown = me.complete_proof("q").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

#[tokio::test]
async fn a_cancelled_proof_is_stopped_on_its_worker() {
    let (server, state) = start_in_memory(Config {
        recycle_grace: Duration::from_millis(50),
        ..Config::default()
    })
    .await;
    let mut events = server.coordinator.worker_events();
    let mut node = server.worker("a/execute", WorkerType::Cpu, 16).await;
    let proof = spec("p", Root::Execute);
    let root = server.coordinator.submit_proof(proof).await.unwrap();
    assert_eq!(node.task().await.task_id, root.as_str());
    assert!(server.coordinator.cancel_proof("p", "not wanted").await);
    assert!(!server.coordinator.cancel_proof("p", "again").await);
    let Some(Message::CancelTask(cancel)) = node.next().await else {
        panic!("not cancelled")
    };
    assert_eq!(cancel.task_id, root.as_str());
    let reason = "not wanted".to_owned();
    assert_eq!(
        outcome(&state, "p").await.result,
        ProofResult::Cancelled { reason }
    );

    let registered = events.recv().await.unwrap();
    assert!(matches!(registered, WorkerEvent::Registered { .. }));
    tokio::time::sleep(Duration::from_millis(80)).await;
    node.caller().beat(&[("p", &root)]).await.unwrap();
    let recycle = tokio::time::timeout(LIMIT, events.recv()).await;
    let WorkerEvent::Recycle { pod, .. } = recycle.unwrap().unwrap() else {
        panic!("not recycled")
    };
    assert_eq!(pod, "a");
}

#[tokio::test]
async fn the_class_of_a_failure_arrives() {
    let (server, state) = start_in_memory(Config::default()).await;
    let mut node = server.worker("a", WorkerType::All, 32).await;
    let mut me = node.caller();
    for proof in ["p", "q"] {
        let spec = spec(proof, Root::Prove);
        server.coordinator.submit_proof(spec).await.unwrap();
        node.task().await;
    }
    let shard = me.create("p", ProveShard, None).await.unwrap();
    me.fail("p", &shard, false).await.unwrap();
    let ProofResult::Failed { failure, .. } = outcome(&state, "p").await.result else {
        panic!()
    };
    assert_eq!(failure.class, FailureClass::Bug);
    assert_eq!(failure.task_type, Some(ProveShard));

    let extra = r#"{"class":"ProgramFault","task_type":"CORE_EXECUTE","message":"exit code 1"}"#;
    let request = FailProofRequest {
        worker_id: "a".to_owned(),
        proof_id: "q".to_owned(),
        task_id: None,
        extra_data: Some(extra.to_owned()),
    };
    me.client.fail_proof(request).await.unwrap();
    let ProofResult::Failed {
        failure,
        extra_data,
    } = outcome(&state, "q").await.result
    else {
        panic!()
    };
    assert_eq!(failure.class, FailureClass::ProgramFault);
    assert_eq!(failure.task_type, Some(CoreExecute));
    assert_eq!(extra_data, extra);
}

#[tokio::test]
async fn three_pods_out_of_memory_fail_the_proof() {
    let (server, state) = start_in_memory(Config::default()).await;
    let proof = spec("p", Root::Execute);
    server.coordinator.submit_proof(proof).await.unwrap();
    for i in 0..3 {
        let pod = format!("small-{i}");
        let id = format!("{pod}/execute");
        let mut node = server.worker(&id, WorkerType::Cpu, 8).await;
        node.task().await;
        let loss = Loss::new(FailureClass::OutOfMemory, "pool small, memory limit 3Gi");
        assert_eq!(server.coordinator.worker_lost(&pod, loss).await, 1);
        assert!(node.next().await.is_none(), "its stream ends");
    }
    let ProofResult::Failed { failure, .. } = outcome(&state, "p").await.result else {
        panic!()
    };
    assert_eq!(failure.class, FailureClass::OutOfMemory);
    assert_eq!(
        failure.message,
        "ExecuteOnly ran out of memory on 3 workers (pool small, memory limit 3Gi): raise the pool's memory"
    );
}

#[tokio::test]
async fn a_worker_that_vanishes_is_replaced_by_another() {
    let (server, _) = start_in_memory(Config {
        lost_grace: Duration::from_millis(300),
        ..Config::default()
    })
    .await;
    let mut first = server.worker("a/execute", WorkerType::Cpu, 16).await;
    let proof = spec("p", Root::Execute);
    let root = server.coordinator.submit_proof(proof).await.unwrap();
    assert_eq!(first.task().await.task_id, root.as_str());
    let mut second = server.worker("b/execute", WorkerType::Cpu, 16).await;
    drop(first);
    let again = second.task().await;
    assert_ne!(again.task_id, root.as_str(), "another run, another name");
    let workers = server.coordinator.workers().await;
    assert_eq!(workers.len(), 1);
    let late = second.caller().complete("p", &root).await.unwrap_err();
    assert_eq!(late.code(), Code::NotFound);
    let reason = late.metadata().get(provost_proto::headers::REASON);
    assert_eq!(reason.unwrap(), "RunOver");
}

#[tokio::test]
async fn a_worker_that_comes_back_in_time_goes_on() {
    let (server, state) = start_in_memory(Config {
        lost_grace: Duration::from_secs(5),
        ..Config::default()
    })
    .await;
    let mut first = server.worker("a/execute", WorkerType::Cpu, 16).await;
    let proof = spec("p", Root::Execute);
    let root = server.coordinator.submit_proof(proof).await.unwrap();
    first.task().await;
    drop(first);
    let back = server.worker("a/execute", WorkerType::Cpu, 16).await;
    back.caller().beat(&[("p", &root)]).await.unwrap();
    back.caller().complete_proof("p").await.unwrap();
    assert!(state.outcome("p").is_some());
}
