//! Streams that break at the worst moment, calls that are late, and partitions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use provost_artifacts::MemoryStore;
use provost_coordinator::Config;
use provost_proto::worker::TaskType;
use provost_worker_sim::Class;
use provost_worker_sim::faults::{Action, Call, Fault, Point};
use provost_worker_sim::graph::Mode;

use crate::cluster::{Cluster, again, config, eventually, graph, slow_shards};

/// Proves with faults of calls: nothing may be done twice.
async fn nothing_is_done_twice(faults: Vec<Fault>) {
    // Streams break again and again: only a worker that stays away is to count as lost.
    let config = Config {
        lost_grace: Duration::from_secs(10),
        break_grace: Duration::from_secs(10),
        root_break_grace: Duration::from_secs(10),
        ..config()
    };
    let cluster = Cluster::with(config, Arc::new(MemoryStore::new()), None).await;
    let graph = graph(12);
    let workers = cluster.workers(Class::All, 2, &graph).await;
    for fault in faults {
        workers.inject(fault).unwrap();
    }
    for proof in ["a", "b"] {
        cluster.prove(proof).await;
    }
    for proof in ["a", "b"] {
        cluster.success(proof).await;
    }
    assert!(workers.faults().struck() > 0);
    assert_eq!(again(&[&workers], &graph, Mode::Compressed, 2), []);
    workers.faults().clear();
    cluster.assert_clean(2).await;
}

const CALLS: [Call; 6] = [
    Call::Create,
    Call::Done,
    Call::Marker,
    Call::Watch,
    Call::Say,
    Call::Listen,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_are_asked_for_again() {
    let lose = |call| Fault::of_call(Action::LoseReply, call).by_chance(0.05);
    nothing_is_done_twice(CALLS.map(lose).to_vec()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_calls_are_made_again() {
    let lose = |call| Fault::of_call(Action::LoseRequest, call).by_chance(0.05);
    nothing_is_done_twice(CALLS.map(lose).to_vec()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_proof_or_its_answer_may_be_lost() {
    let lose = |action| Fault::of_call(action, Call::Conclude).nth(1, 1);
    nothing_is_done_twice(vec![lose(Action::LoseReply), lose(Action::LoseRequest)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn completions_may_overtake_each_other() {
    let late = |kind| {
        let delay = Fault::at(Action::Delay, Point::Report, kind).for_ms(150);
        delay.by_chance(0.5)
    };
    nothing_is_done_twice(vec![
        late(TaskType::ProveShard),
        late(TaskType::RecursionReduce),
        late(TaskType::CoreExecute),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_may_be_slow() {
    let slow = Fault::of_call(Action::Delay, Call::Any).for_ms(20);
    nothing_is_done_twice(vec![slow.by_chance(0.3)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_partition_costs_time_and_nothing_else() {
    let config = Config {
        leaf_liveness: Duration::from_secs(10),
        ..config()
    };
    let cluster = Cluster::with(config, Arc::new(MemoryStore::new()), None).await;
    let graph = slow_shards(6, 50.0);
    let workers = cluster.workers(Class::All, 1, &graph).await;
    let started = Instant::now();
    let cut = Fault::at(Action::Partition, Point::Running, TaskType::ProveShard);
    workers.inject(cut.nth(2, 1).for_ms(1000)).unwrap();
    cluster.prove("p").await;
    cluster.success("p").await;
    assert!(started.elapsed() >= Duration::from_millis(1000));
    assert_eq!(again(&[&workers], &graph, Mode::Compressed, 1), []);
    cluster.assert_clean(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_long_partition_the_work_is_elsewhere_and_the_worker_back() {
    let cluster = Cluster::start().await;
    let graph = slow_shards(6, 50.0);
    let cpu = cluster.workers(Class::Cpu, 1, &graph).await;
    let gpu = cluster.workers(Class::Gpu, 2, &graph).await;
    let cut = Fault::at(Action::Partition, Point::Running, TaskType::ProveShard);
    gpu.inject(cut.for_ms(4000).in_worker("gpu-0")).unwrap();
    cluster.prove("p").await;
    cluster.success("p").await;
    assert_eq!(gpu.faults().struck(), 1);
    let done_again = again(&[&cpu, &gpu], &graph, Mode::Compressed, 1);
    assert!(
        matches!(done_again.as_slice(), [("PROVE_SHARD", 1..=6)]),
        "{done_again:?}"
    );
    assert_eq!(cluster.outcome("p").await.progress.run, 0);
    // It comes back, says what it has finished, and takes part again.
    cluster.assert_idle().await;
    eventually("all are connected", || (gpu.connected() == 2).then_some(())).await;
    let deadline = Instant::now() + crate::cluster::LIMIT;
    while cluster.coordinator.workers().await.len() < 3 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cluster.prove("next").await;
    cluster.success("next").await;
    cluster.assert_idle().await;
}
