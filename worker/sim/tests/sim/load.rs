//! Many proofs on many workers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use provost_artifacts::MemoryStore;
use provost_coordinator::Config;
use provost_worker_sim::graph::Mode;
use provost_worker_sim::profile::{Graph, Profile};
use provost_worker_sim::{Class, Settings, Timing};

use crate::cluster::{Cluster, again, begin, graph};

/// With the waits that a cluster runs with: a busy machine must not look like one that loses its workers.
fn patient() -> Config {
    Config::default()
}

async fn cluster() -> Cluster {
    Cluster::with(patient(), Arc::new(MemoryStore::new()), None).await
}

async fn many(cluster: &Cluster, proofs: usize, workers: usize, graph: Graph, artifacts: bool) {
    let mut settings = Settings {
        profile: Profile {
            graph: graph.clone(),
            variants: Vec::new(),
        },
        timing: Timing::default(),
        ..cluster.settings(Class::All, workers)
    };
    if !artifacts {
        settings.store = None;
    }
    let simulator = begin(settings).await;
    let started = Instant::now();
    let names: Vec<_> = (0..proofs).map(|i| format!("p{i}")).collect();
    for name in &names {
        cluster.prove(name).await;
    }
    for name in &names {
        cluster.outcome_within(name, Duration::from_secs(600)).await;
        cluster.success(name).await;
    }
    let tasks: u64 = simulator.stats().all().values().map(|t| t.started).sum();
    println!(
        "{proofs} proofs, {tasks} tasks in {:.2?}",
        started.elapsed()
    );
    assert_eq!(
        again(&[&simulator], &graph, Mode::Compressed, proofs as u64),
        []
    );
    match artifacts {
        true => cluster.assert_clean(proofs).await,
        false => cluster.assert_idle().await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(debug_assertions, ignore = "takes a minute in a debug build")]
async fn two_hundred_proofs_of_twenty_shards_leave_nothing() {
    let cluster = cluster().await;
    many(&cluster, 200, 100, graph(20), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_proofs_on_a_hundred_workers_leave_nothing() {
    let cluster = cluster().await;
    many(&cluster, 20, 100, graph(20), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_server_holds_nothing_after_many_proofs() {
    let cluster = Cluster::with_server(patient()).await;
    many(&cluster, 10, 10, graph(10), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_store_there_is_only_the_coordinators_load() {
    let cluster = cluster().await;
    many(&cluster, 20, 300, graph(10), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_proof_of_three_hundred_shards() {
    let cluster = cluster().await;
    let graph = Graph {
        scale: 0.1,
        emitters: 8,
        ..graph(300)
    };
    many(&cluster, 1, 20, graph, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(debug_assertions, ignore = "takes minutes in a debug build")]
async fn one_proof_of_ten_thousand_shards() {
    let cluster = cluster().await;
    let graph = Profile::load("10k").unwrap().graph;
    many(&cluster, 1, 100, graph, false).await;
}
