//! Workers of one fleet that are killed, stopped and added, and the log of what they executed.

use std::collections::BTreeMap;
use std::time::Duration;

use provost_proto::worker::TaskType;
use provost_worker_sim::graph::Mode;
use provost_worker_sim::journal::{self, Entry, Event};
use provost_worker_sim::profile::Profile;
use provost_worker_sim::{Class, Settings};

use crate::cluster::{Cluster, LIMIT, again, begin, eventually, slow_shards};

/// Attempts at shards that have begun in a worker.
fn shards_of<'a>(entries: &'a [Entry], worker: &str) -> Vec<&'a Entry> {
    let of_worker = entries.iter().filter(|entry| entry.worker == worker);
    of_worker
        .filter(|entry| entry.event == Event::Start && entry.kind == "PROVE_SHARD")
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_a_killed_worker_had_is_executed_twice() {
    let cluster = Cluster::start().await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let graph = slow_shards(8, 1500.0);
    let _cpu = cluster.workers(Class::Cpu, 1, &graph).await;
    let gpu = begin(Settings {
        profile: Profile {
            graph,
            variants: Vec::new(),
        },
        log: Some(log.clone()),
        ..cluster.settings(Class::Gpu, 2)
    })
    .await;
    cluster.prove("p").await;
    eventually("shards run in the first worker", || {
        let entries = journal::read(&log).unwrap();
        (!shards_of(&entries, "gpu-0/prove").is_empty()).then_some(())
    })
    .await;
    assert!(gpu.kill("gpu-0"));
    assert!(!gpu.kill("gpu-0"));
    assert_eq!(gpu.workers(), ["gpu-1"]);
    cluster.success("p").await;

    let entries = journal::read(&log).unwrap();
    let mut starts: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries.iter().filter(|e| e.event == Event::Start) {
        starts.entry(&entry.task).or_default().push(entry);
    }
    let twice = starts.values().filter(|starts| starts.len() > 1);
    let twice: Vec<_> = twice.collect();
    assert!((1..=6).contains(&twice.len()), "{twice:?}");
    for starts in twice {
        let workers: Vec<_> = starts.iter().map(|e| e.worker.as_str()).collect();
        assert_eq!(workers, ["gpu-0/prove", "gpu-1/prove"]);
        assert!(starts[0].attempt < starts[1].attempt, "{starts:?}");
    }
    let ends = entries.iter().filter(|e| e.event == Event::End);
    assert!(ends.clone().count() < starts.values().map(Vec::len).sum());
    assert!(
        ends.clone()
            .all(|e| e.outcome.as_deref() == Some("completed"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_worker_finishes_what_it_has_and_a_new_one_takes_part() {
    let cluster = Cluster::start().await;
    let graph = slow_shards(8, 100.0);
    let cpu = cluster.workers(Class::Cpu, 1, &graph).await;
    let gpu = cluster.workers(Class::Gpu, 2, &graph).await;
    cluster.prove("p").await;
    eventually("shards run", || {
        (gpu.stats().of(TaskType::ProveShard).started > 0).then_some(())
    })
    .await;
    assert!(gpu.stop("gpu-0", LIMIT).await);
    assert!(!gpu.stop("gpu-0", Duration::ZERO).await);
    gpu.add("late").unwrap();
    assert_eq!(gpu.workers(), ["gpu-1", "late"]);
    cluster.success("p").await;
    assert_eq!(again(&[&cpu, &gpu], &graph, Mode::Compressed, 1), []);
    cluster.assert_clean(1).await;
}
