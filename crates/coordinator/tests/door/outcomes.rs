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
use provost_proto::worker::{TaskStatus, WorkerType};

use crate::node::{LIMIT, outcome, spec, start, start_in_memory};
use crate::worker::{Hand, Task, Worker, by_either_door};

by_either_door!(
    an_outcome_is_acknowledged_once_it_is_stored,
    a_cancelled_task_takes_up_room_until_it_has_stopped,
    a_pod_that_does_not_stop_is_to_be_replaced,
    the_class_of_a_failure_arrives,
    what_failed_is_tried_again,
    three_pods_out_of_memory_fail_the_proof,
    a_root_whose_worker_vanishes_begins_again,
    a_leaf_whose_worker_vanishes_goes_elsewhere,
);

/// A state that is away for the first few calls.
#[derive(Default)]
pub(crate) struct Away {
    pub(crate) calls: AtomicU32,
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

async fn an_outcome_is_acknowledged_once_it_is_stored<W: Worker>() {
    let state = Arc::new(Away::default());
    let server = start(Config::default(), state.clone()).await;
    let mut worker = W::join(&server, "a", WorkerType::Cpu, 16).await;
    let proof = spec("p", Root::Prove);
    server.coordinator.submit_proof(proof).await.unwrap();
    let root = worker.task().await;
    worker.hand().conclude(&root, "{}").await;
    assert_eq!(state.calls.load(Ordering::SeqCst), 3);
}

async fn a_cancelled_task_takes_up_room_until_it_has_stopped<W: Worker>() {
    let (server, state) = start_in_memory(Config::default()).await;
    let mut worker = W::join(&server, "a", WorkerType::Cpu, 4).await;
    let proof = spec("p", Root::Execute);
    server.coordinator.submit_proof(proof).await.unwrap();
    let root = worker.task().await;
    assert!(server.coordinator.cancel_proof("p", "not wanted").await);
    assert!(!server.coordinator.cancel_proof("p", "again").await);
    worker.told_to_stop(&root).await;
    let reason = "not wanted".to_owned();
    assert_eq!(
        outcome(&state, "p").await.result,
        ProofResult::Cancelled { reason }
    );
    let next = spec("q", Root::Execute);
    server.coordinator.submit_proof(next).await.unwrap();
    worker.hand().beat().await;
    assert_eq!(server.used().await, 4);
    let early = tokio::time::timeout(Duration::from_millis(200), worker.next()).await;
    assert!(early.is_err(), "{early:?}");
    worker.hand().stopped(root).await;
    assert_eq!(worker.task().await.proof(), "q");
}

async fn a_pod_that_does_not_stop_is_to_be_replaced<W: Worker>() {
    let (server, _) = start_in_memory(Config {
        recycle_grace: Duration::from_millis(50),
        execution_recycle_grace: Duration::from_millis(50),
        ..Config::default()
    })
    .await;
    let mut worker = W::join(&server, "a", WorkerType::Cpu, 16).await;
    let mut events = server.coordinator.worker_events();
    let proof = spec("p", Root::Execute);
    server.coordinator.submit_proof(proof).await.unwrap();
    let root = worker.task().await;
    server.coordinator.cancel_proof("p", "not wanted").await;
    worker.told_to_stop(&root).await;
    tokio::time::sleep(Duration::from_millis(80)).await;
    worker.hand().beat().await;
    let event = tokio::time::timeout(LIMIT, events.recv()).await;
    let WorkerEvent::Recycle { pod, .. } = event.unwrap().unwrap() else {
        panic!("not recycled")
    };
    assert_eq!(pod, "a");
}

async fn the_class_of_a_failure_arrives<W: Worker>() {
    let (server, state) = start_in_memory(Config::default()).await;
    let mut worker = W::join(&server, "a", WorkerType::All, 32).await;
    let me = worker.hand();
    let mut roots = Vec::new();
    for proof in ["p", "q"] {
        let spec = spec(proof, Root::Prove);
        server.coordinator.submit_proof(spec).await.unwrap();
        roots.push(worker.task().await);
    }
    me.create(&roots[0], ProveShard).await;
    let shard = worker.task().await;
    me.fail(shard, false).await;
    let ProofResult::Failed { failure, .. } = outcome(&state, "p").await.result else {
        panic!()
    };
    assert_eq!(failure.class, FailureClass::Bug);
    assert_eq!(failure.task_type, Some(ProveShard));

    let extra = r#"{"class":"ProgramFault","task_type":"CORE_EXECUTE","message":"exit code 1"}"#;
    me.give_up(&roots[1], extra).await;
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

async fn what_failed_is_tried_again<W: Worker>() {
    let (server, _) = start_in_memory(Config::default()).await;
    let mut worker = W::join(&server, "a", WorkerType::All, 32).await;
    let me = worker.hand();
    let proof = spec("p", Root::Prove);
    server.coordinator.submit_proof(proof).await.unwrap();
    let root = worker.task().await;
    let id = me.create(&root, ProveShard).await;
    let first = worker.task().await;
    assert_eq!(first.id(), id);
    me.fail(first, true).await;
    let second = worker.task().await;
    assert_eq!(second.id(), id);
    me.complete(second).await;
    assert_eq!(me.results(&root, &[id]).await, [TaskStatus::Succeeded]);
}

async fn three_pods_out_of_memory_fail_the_proof<W: Worker>() {
    let (server, state) = start_in_memory(Config::default()).await;
    let proof = spec("p", Root::Execute);
    server.coordinator.submit_proof(proof).await.unwrap();
    for i in 0..3 {
        let pod = format!("small-{i}");
        let mut worker = W::join(&server, &pod, WorkerType::Cpu, 8).await;
        let task = worker.task().await;
        let loss = Loss::new(FailureClass::OutOfMemory, "pool small, memory limit 3Gi");
        assert_eq!(server.coordinator.worker_lost(&pod, loss).await, 1);
        drop((worker, task));
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

/// Little patience with workers that are gone, and none with silence in its place.
fn impatient() -> Config {
    let grace = Duration::from_millis(300);
    let long = Duration::from_secs(3_600);
    Config {
        lost_grace: grace,
        break_grace: grace,
        root_break_grace: grace,
        leaf_liveness: long,
        root_liveness: long,
        ..Config::default()
    }
}

async fn a_root_whose_worker_vanishes_begins_again<W: Worker>() {
    let (server, state) = start_in_memory(impatient()).await;
    let mut first = W::join(&server, "a", WorkerType::Cpu, 16).await;
    let proof = spec("p", Root::Prove);
    let root = server.coordinator.submit_proof(proof).await.unwrap();
    let begun = first.task().await;
    assert_eq!(begun.id(), root.as_str());
    let mut second = W::join(&server, "b", WorkerType::Cpu, 16).await;
    drop(first);
    let again = second.task().await;
    assert_ne!(again.id(), root.as_str(), "another run, another name");
    second.hand().conclude(&again, "{}").await;
    assert_eq!(state.run_of("p").unwrap().run, 1);
    drop(begun);
}

async fn a_leaf_whose_worker_vanishes_goes_elsewhere<W: Worker>() {
    let (server, state) = start_in_memory(impatient()).await;
    let mut driver = W::join(&server, "driver", WorkerType::Cpu, 16).await;
    let mut first = W::join(&server, "a", WorkerType::Gpu, 4).await;
    let proof = spec("p", Root::Prove);
    server.coordinator.submit_proof(proof).await.unwrap();
    let root = driver.task().await;
    let id = driver.hand().create(&root, ProveShard).await;
    let begun = first.task().await;
    let mut second = W::join(&server, "b", WorkerType::Gpu, 4).await;
    drop(first);
    let again = second.task().await;
    assert_eq!(again.id(), id);
    second.hand().complete(again).await;
    let results = driver.hand().results(&root, &[id]).await;
    assert_eq!(results, [TaskStatus::Succeeded]);
    driver.hand().conclude(&root, "{}").await;
    assert_eq!(state.run_of("p").unwrap().run, 0);
    drop(begun);
}
