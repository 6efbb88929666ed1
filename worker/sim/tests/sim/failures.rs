//! Tasks that fail, panic or never end.

use std::sync::Arc;
use std::time::Duration;

use provost_artifacts::MemoryStore;
use provost_coordinator::{Config, FailureClass, ProofResult, WorkerEvent};
use provost_proto::worker::TaskType;
use provost_worker_sim::Class;
use provost_worker_sim::faults::{Action, Fault, Point};
use provost_worker_sim::graph::Mode;

use crate::cluster::{Cluster, LIMIT, again, config, eventually, graph};

fn fail(kind: TaskType, class: FailureClass) -> Fault {
    Fault {
        class: Some(class),
        message: Some("as told".to_owned()),
        ..Fault::at(Action::Fail, Point::Running, kind)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retryable_failure_costs_one_task() {
    let cluster = Cluster::start().await;
    let graph = graph(6);
    let workers = cluster.workers(Class::All, 2, &graph).await;
    let fault = fail(TaskType::ProveShard, FailureClass::Transient).nth(3, 2);
    workers.inject(fault).unwrap();
    cluster.prove("p").await;
    cluster.success("p").await;
    let again = again(&[&workers], &graph, Mode::Compressed, 1);
    assert_eq!(again, [("PROVE_SHARD", 2)]);
    assert_eq!(workers.stats().of(TaskType::ProveShard).failed, 2);
    cluster.assert_clean(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_by_chance_cost_as_many_tasks_as_they_struck() {
    let cluster = Cluster::start().await;
    let graph = graph(20);
    let workers = cluster.workers(Class::All, 3, &graph).await;
    let fault = fail(TaskType::ProveShard, FailureClass::Transient).by_chance(0.2);
    workers.inject(fault).unwrap();
    cluster.prove("p").await;
    cluster.success("p").await;
    let struck = workers.faults().struck() as i64;
    assert!(struck > 0);
    let again = again(&[&workers], &graph, Mode::Compressed, 1);
    assert_eq!(again, [("PROVE_SHARD", struck)]);
    cluster.assert_clean(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_fault_is_final_at_once() {
    let cluster = Cluster::start().await;
    let workers = cluster.workers(Class::All, 1, &graph(3)).await;
    let fault = fail(TaskType::CoreExecute, FailureClass::ProgramFault);
    workers.inject(fault).unwrap();
    cluster.prove("p").await;
    let failed = cluster.failure("p").await;
    assert_eq!(failed, (FailureClass::ProgramFault, "as told".to_owned()));
    assert_eq!(workers.stats().of(TaskType::CoreExecute).started, 1);
    cluster.assert_idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fatal_failure_is_final_at_once() {
    let cluster = Cluster::start().await;
    let workers = cluster.workers(Class::All, 1, &graph(3)).await;
    let fault = Fault {
        retryable: Some(false),
        ..fail(TaskType::RecursionReduce, FailureClass::Bug)
    };
    workers.inject(fault).unwrap();
    cluster.prove("p").await;
    assert_eq!(cluster.failure("p").await.0, FailureClass::Bug);
    assert_eq!(workers.stats().of(TaskType::RecursionReduce).started, 1);
    cluster.assert_idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_never_passes_ends_the_proof_with_its_class() {
    let cluster = Cluster::start().await;
    let workers = cluster.workers(Class::All, 2, &graph(2)).await;
    let fault = fail(TaskType::SetupVkey, FailureClass::Transient).nth(1, 100);
    workers.inject(fault).unwrap();
    cluster.prove("p").await;
    let (class, message) = cluster.failure("p").await;
    assert_eq!(class, FailureClass::Transient);
    assert!(message.contains("as told"), "{message}");
    // The first attempt and three retries.
    assert_eq!(workers.stats().of(TaskType::SetupVkey).started, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_prover_is_reported_when_its_proof_is_cancelled() {
    let config = Config {
        recycle_grace: Duration::from_millis(500),
        ..config()
    };
    let cluster = Cluster::with(config, Arc::new(MemoryStore::new()), None).await;
    let workers = cluster.workers(Class::All, 1, &graph(3)).await;
    let mut events = cluster.coordinator.worker_events();
    let hang = Fault::at(Action::Hang, Point::Running, TaskType::ProveShard);
    workers.inject(hang).unwrap();
    cluster.prove("p").await;
    eventually("a shard hangs", || {
        (workers.faults().struck() == 1).then_some(())
    })
    .await;
    assert!(cluster.coordinator.cancel_proof("p", "enough").await);
    let outcome = cluster.outcome("p").await;
    assert!(matches!(outcome.result, ProofResult::Cancelled { .. }));
    let recycled = async {
        loop {
            if let WorkerEvent::Recycle { pod, .. } = events.recv().await.unwrap() {
                return pod;
            }
        }
    };
    let pod = tokio::time::timeout(LIMIT, recycled).await.unwrap();
    assert_eq!(pod, "all");
    // What the operator does next.
    workers
        .inject(Fault::now(Action::Crash, Some("all")).for_ms(10))
        .unwrap();
    cluster.prove("next").await;
    cluster.success("next").await;
    cluster.assert_idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_execution_is_dropped_when_its_proof_is_cancelled() {
    let cluster = Cluster::start().await;
    let workers = cluster.workers(Class::All, 1, &graph(3)).await;
    let hang = Fault::at(Action::Hang, Point::Running, TaskType::CoreExecute);
    workers.inject(hang).unwrap();
    cluster.prove("p").await;
    eventually("it hangs", || {
        (workers.faults().struck() == 1).then_some(())
    })
    .await;
    assert!(cluster.coordinator.cancel_proof("p", "enough").await);
    cluster.assert_idle().await;
    assert_eq!(workers.stats().of(TaskType::CoreExecute).cancelled, 1);
    assert_eq!(workers.stats().of(TaskType::Controller).cancelled, 1);
}
