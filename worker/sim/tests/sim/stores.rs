//! Stores that are slow, away or full.

use std::sync::Arc;

use provost_artifacts::MemoryStore;
use provost_coordinator::FailureClass;
use provost_proto::worker::TaskType;
use provost_worker_sim::Class;
use provost_worker_sim::faults::{Action, Fault, StoreOp};
use provost_worker_sim::graph::Mode;

use crate::cluster::{Cluster, again, config, graph};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_store_costs_only_time() {
    let cluster = Cluster::start().await;
    let graph = graph(6);
    let workers = cluster.workers(Class::All, 2, &graph).await;
    let slow = Fault::of_store(Action::Delay, StoreOp::Any).for_ms(20);
    workers.inject(slow).unwrap();
    cluster.prove("p").await;
    cluster.success("p").await;
    assert!(workers.faults().struck() > 50);
    assert_eq!(again(&[&workers], &graph, Mode::Compressed, 1), []);
    cluster.assert_clean(1).await;
}

/// Operations of provers fail some times: each costs a task.
async fn passes(action: Action, op: StoreOp) {
    let cluster = Cluster::start().await;
    let graph = graph(6);
    let cpu = cluster.workers(Class::Cpu, 1, &graph).await;
    let gpu = cluster.workers(Class::Gpu, 2, &graph).await;
    gpu.inject(Fault::of_store(action, op).nth(3, 2)).unwrap();
    cluster.prove("p").await;
    cluster.success("p").await;
    assert_eq!(gpu.faults().struck(), 2);
    let again = again(&[&cpu, &gpu], &graph, Mode::Compressed, 1);
    let all: i64 = again.iter().map(|(_, more)| more).sum();
    assert!((1..=2).contains(&all), "{again:?}");
    // A shard that is proven again stores its deferred record again: so does SP1's.
    assert!(cluster.sweep("p").await <= 2);
    cluster.assert_clean(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_for_a_moment_costs_a_task() {
    passes(Action::Unavailable, StoreOp::Get).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_full_for_a_moment_costs_a_task() {
    passes(Action::Full, StoreOp::Put).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stays_away_ends_the_proof_with_that_reason() {
    let mut config = config();
    config.retry.store_patience = 500;
    let cluster = Cluster::with(config, Arc::new(MemoryStore::new()), None).await;
    let graph = graph(2);
    let _cpu = cluster.workers(Class::Cpu, 1, &graph).await;
    let gpu = cluster.workers(Class::Gpu, 1, &graph).await;
    gpu.inject(Fault::of_store(Action::Unavailable, StoreOp::Put))
        .unwrap();
    cluster.prove("p").await;
    let (class, message) = cluster.failure("p").await;
    assert_eq!(class, FailureClass::StoreUnavailable, "{message}");
    assert!(gpu.stats().of(TaskType::SetupVkey).started > 1);
    cluster.assert_idle().await;
}
