//! How long it takes until the tasks of a worker that is lost are with others: killed, its pod deleted, past its grace, silent.
//!
//! `hack/cluster up --api-only && cargo bench -p provost-operator --bench liveness -- [--quick] [--repeats 20] [--workers 20] [--rate 100]`
//!
//! One replica of the binary that is shipped, with its own settings, against a real kube-apiserver. The workers are Provost's own link; a driver creates tasks of 200 ms
//! at even intervals throughout. The worker that is lost is a process of its own that keeps whatever it is given. Beside each: how long it takes until a plain TCP
//! connection to that process shows anybody that it is gone, the floor of what is seen by a stream's end. Prints a table and, as the last line, JSON. Two minutes.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "cluster/mod.rs"]
mod cluster;
#[path = "liveness/victim.rs"]
mod victim;

use std::time::{Duration, Instant};

use clap::Parser;
use cluster::api::{Space, client, create};
use cluster::crew::Crew;
use cluster::operator::{Replica, Store, free_port};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams};
use provost_crds::POOL_LABEL;
use provost_load::report::median;
use provost_test_support::install;
use serde_json::json;
use victim::Victim;

#[derive(Parser)]
struct Options {
    /// One of each.
    #[arg(long)]
    quick: bool,
    /// How often a worker is lost in each way; in silence and past its grace, a quarter as often.
    #[arg(long, default_value_t = 20)]
    repeats: usize,
    /// Workers beside it.
    #[arg(long, default_value_t = 20)]
    workers: usize,
    /// Tasks a second.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// What cargo says to a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Time that a pod is given to end. Kubernetes keeps its end in whole seconds.
const GRACE: Duration = Duration::from_secs(5);

/// How a worker is lost.
#[derive(Clone, Copy)]
enum Way {
    Killed,
    PodDeleted,
    PastGrace,
    Silent,
}

impl Way {
    const ALL: [Self; 4] = [
        Self::Killed,
        Self::PodDeleted,
        Self::PastGrace,
        Self::Silent,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Killed => "process killed",
            Self::PodDeleted => "silent, and its pod is deleted",
            Self::PastGrace => "silent, its pod is past its grace and stays",
            Self::Silent => "silent",
        }
    }

    const fn bar_seconds(self) -> f64 {
        match self {
            Self::Killed => 0.2,
            Self::PodDeleted | Self::PastGrace => 1.0,
            Self::Silent => 8.0,
        }
    }
}

/// What came of one loss, in seconds.
struct Outcome {
    /// How many tasks came to another worker, those that were on their way included.
    tasks: usize,
    /// Until the last of its tasks was with another worker.
    requeued: f64,
    /// Until its connection showed that it is gone; `None` where that never shows.
    floor: Option<f64>,
}

fn main() {
    // Before anything else: the process that is lost is this program, too.
    if victim::runs_here() {
        return;
    }
    let mut options = Options::parse();
    if options.quick {
        options.repeats = 1;
    }
    let results = cluster::runtime().block_on(measure(&options));
    println!(
        "| worker | wanted, s | median, s | 90 % | slowest | of | tasks | floor: connection's end seen, s: median |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut rows = Vec::new();
    for (way, outcomes) in results {
        let mut requeued: Vec<_> = outcomes.iter().map(|o| o.requeued).collect();
        requeued.sort_unstable_by(f64::total_cmp);
        let floors: Vec<_> = outcomes.iter().filter_map(|o| o.floor).collect();
        let floor = (!floors.is_empty()).then(|| median(&floors));
        let (half, most) = (median(&requeued), requeued.last().copied().unwrap());
        let ninety = requeued[(requeued.len() * 9).div_ceil(10) - 1];
        let shown = floor.map_or_else(String::new, |floor| format!("{floor:.4}"));
        let tasks: usize = outcomes.iter().map(|o| o.tasks).sum();
        println!(
            "| {} | {} | {half:.3} | {ninety:.3} | {most:.3} | {} | {tasks} | {shown} |",
            way.name(),
            way.bar_seconds(),
            requeued.len()
        );
        rows.push(json!({
            "lost": way.name(), "wanted_seconds": way.bar_seconds(), "requeued_seconds": requeued, "median_seconds": half, "tasks": tasks,
            "floor_median_seconds": floor,
        }));
    }
    println!(
        "{}",
        json!({"benchmark": "liveness", "workers": options.workers, "tasks_per_second": options.rate, "rows": rows})
    );
}

async fn measure(options: &Options) -> Vec<(Way, Vec<Outcome>)> {
    let client = client().await;
    install(client.clone(), "operator-test").await;
    let space = Space::create(&client, "liveness").await;
    let store = Store::start(&space);
    let mut replica = Replica::start_on(&space, &store, "operator-0", free_port());
    replica.leads().await;
    space.request_proofs(10).await;
    let addresses = vec![replica.address.clone()];
    let crew = Crew::start(addresses, options.workers, options.rate).await;
    let mut results = Vec::new();
    for way in Way::ALL {
        let repeats = match way {
            Way::Silent | Way::PastGrace => options.repeats.div_ceil(4),
            _ => options.repeats,
        };
        let mut outcomes = Vec::new();
        for repeat in 0..repeats {
            let name = format!("victim-{}-{repeat}", way as usize);
            outcomes.push(lose(way, &name, &space, &crew, &replica.address).await);
        }
        results.push((way, outcomes));
    }
    drop(crew);
    drop(replica);
    drop(store);
    space.remove().await;
    results
}

/// A worker comes, gets tasks, and is lost.
async fn lose(way: Way, name: &str, space: &Space, crew: &Crew, operator: &str) -> Outcome {
    let pods: Api<Pod> = Api::namespaced(space.client.clone(), &space.name);
    if matches!(way, Way::PodDeleted | Way::PastGrace) {
        let labels = json!({POOL_LABEL: "bench"});
        // A pod without a node has no grace.
        let spec =
            json!({"nodeName": "bench", "containers": [{"name": "worker", "image": "worker"}]});
        create(
            &pods,
            json!({"metadata": {"name": name, "labels": labels}, "spec": spec}),
        )
        .await;
    }
    let mut victim = Victim::start(operator, name).await;
    crew.kept_elsewhere().await;
    if !matches!(way, Way::Killed) {
        victim.stop();
    }
    let mut began = Instant::now();
    match way {
        Way::Killed => victim.kill(),
        Way::PodDeleted => {
            let now = DeleteParams::default().grace_period(0);
            pods.delete(name, &now).await.unwrap();
        }
        Way::PastGrace => {
            let soon = DeleteParams::default().grace_period(GRACE.as_secs() as u32);
            pods.delete(name, &soon).await.unwrap();
            began += GRACE;
        }
        Way::Silent => {}
    }
    let floor = match way {
        Way::Killed => Some(victim.gone().await.saturating_duration_since(began)),
        _ => None,
    };
    let (tasks, last) = crew.given_after(began).await;
    if matches!(way, Way::PastGrace) {
        let now = DeleteParams::default().grace_period(0);
        pods.delete(name, &now).await.unwrap();
    }
    Outcome {
        tasks,
        requeued: last.saturating_duration_since(began).as_secs_f64(),
        floor: floor.as_ref().map(Duration::as_secs_f64),
    }
}
