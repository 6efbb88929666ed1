//! Workers that are not heard.

use provost_proto::worker::TaskType;
use provost_worker_sim::Class;
use provost_worker_sim::faults::{Action, Fault, Point};
use provost_worker_sim::graph::Mode;

use crate::cluster::{Cluster, again, graph, slow_shards};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_workers_tasks_go_elsewhere_though_its_stream_is_open() {
    let cluster = Cluster::start().await;
    let graph = graph(6);
    let cpu = cluster.workers(Class::Cpu, 1, &graph).await;
    let gpu = cluster.workers(Class::Gpu, 2, &graph).await;
    let silent = Fault::at(Action::StopBeating, Point::Receipt, TaskType::ProveShard);
    gpu.inject(silent.in_worker("gpu-0")).unwrap();
    cluster.prove("p").await;
    cluster.success("p").await;
    assert_eq!(gpu.faults().struck(), 1);
    let again = again(&[&cpu, &gpu], &graph, Mode::Compressed, 1);
    // It had shards, and a reduction may have come its way before its silence was noticed.
    let leaves = ["PROVE_SHARD", "RECURSION_REDUCE"];
    assert!(
        again.iter().any(|(kind, _)| *kind == leaves[0]),
        "{again:?}"
    );
    let only_leaves = again.iter().all(|(kind, _)| leaves.contains(kind));
    assert!(only_leaves, "{again:?}");
    assert_eq!(cluster.outcome("p").await.progress.run, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_falls_silent_for_long_is_given_up_and_may_come_back() {
    let cluster = Cluster::start().await;
    let graph = slow_shards(6, 100.0);
    let cpu = cluster.workers(Class::Cpu, 1, &graph).await;
    let gpu = cluster.workers(Class::Gpu, 2, &graph).await;
    let silent = Fault::at(Action::FallSilent, Point::Receipt, TaskType::ProveShard);
    gpu.inject(silent.in_worker("gpu-0").for_ms(1500)).unwrap();
    cluster.prove("p").await;
    cluster.success("p").await;
    assert_eq!(gpu.faults().struck(), 1);
    assert_eq!(cluster.outcome("p").await.progress.run, 0);
    let only = again(&[&cpu, &gpu], &graph, Mode::Compressed, 1);
    let only_shards = only.iter().all(|(kind, _)| *kind == "PROVE_SHARD");
    assert!(only_shards, "{only:?}");
    gpu.wait_connected().await;
    cluster.assert_idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_for_a_moment_costs_nothing() {
    let cluster = Cluster::start().await;
    let graph = slow_shards(6, 100.0);
    let workers = cluster.workers(Class::All, 1, &graph).await;
    let silent = Fault::at(Action::FallSilent, Point::Running, TaskType::ProveShard);
    workers.inject(silent.nth(2, 1).for_ms(20)).unwrap();
    cluster.prove("p").await;
    cluster.success("p").await;
    assert_eq!(workers.faults().struck(), 1);
    assert_eq!(again(&[&workers], &graph, Mode::Compressed, 1), []);
    cluster.assert_clean(1).await;
}
