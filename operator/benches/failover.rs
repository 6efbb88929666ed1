//! How long it takes until the first new task is with a worker after the leader was killed (SIGKILL) or stopped (SIGTERM), and what was lost.
//!
//! `hack/cluster up --api-only && cargo bench -p provost-operator --bench failover -- [--quick] [--repeats 5] [--workers 20] [--rate 100]`
//!
//! Two replicas of the binary that is shipped, with their own settings, against a real kube-apiserver. The workers are Provost's own link, joined to both; a driver
//! creates tasks of 200 ms at even intervals throughout. Each time the leader goes, another process takes its place as the standby before the next. Prints a table and,
//! as the last line, JSON. Under three minutes; with `--quick` one of each.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "cluster/mod.rs"]
mod cluster;

use std::time::{Duration, Instant};

use clap::Parser;
use cluster::api::{Space, client};
use cluster::crew::Crew;
use cluster::operator::{Replica, Store, free_port};
use provost_load::report::median;
use provost_test_support::install;
use serde_json::{Value, json};

#[derive(Parser)]
struct Options {
    /// One of each.
    #[arg(long)]
    quick: bool,
    /// How often each way of going is tried.
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// Workers.
    #[arg(long, default_value_t = 20)]
    workers: usize,
    /// Tasks a second.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// What cargo says to a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How a leader goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Killed,
    Stopped,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Killed => "SIGKILL",
            Self::Stopped => "SIGTERM",
        }
    }
}

/// What came of it.
struct Outcome {
    way: Way,
    first_new_task: Duration,
    longest_gap: Duration,
    executed_again: usize,
    lost: usize,
}

fn main() {
    let mut options = Options::parse();
    if options.quick {
        options.repeats = 1;
    }
    let outcomes = cluster::runtime().block_on(measure(&options));
    println!(
        "| leader | first new task after, s: each | median | longest without any delivery, s: median | executed again | lost |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: |");
    let mut rows: Vec<Value> = Vec::new();
    for way in [Way::Killed, Way::Stopped] {
        let of: Vec<_> = outcomes.iter().filter(|o| o.way == way).collect();
        let first: Vec<_> = of.iter().map(|o| o.first_new_task.as_secs_f64()).collect();
        let gaps: Vec<_> = of.iter().map(|o| o.longest_gap.as_secs_f64()).collect();
        let again: usize = of.iter().map(|o| o.executed_again).sum();
        let lost: usize = of.iter().map(|o| o.lost).sum();
        let each: Vec<_> = first.iter().map(|s| format!("{s:.2}")).collect();
        println!(
            "| {} | {} | {:.2} | {:.2} | {again} | {lost} |",
            way.name(),
            each.join(", "),
            median(&first),
            median(&gaps)
        );
        rows.push(json!({
            "signal": way.name(), "first_new_task_seconds": first, "median_seconds": median(&first), "longest_gap_seconds": gaps,
            "executed_again": again, "lost": lost,
        }));
    }
    println!(
        "{}",
        json!({"benchmark": "failover", "workers": options.workers, "tasks_per_second": options.rate, "rows": rows})
    );
}

async fn measure(options: &Options) -> Vec<Outcome> {
    let client = client().await;
    install(client.clone(), "operator-test").await;
    let space = Space::create(&client, "failover").await;
    let store = Store::start(&space);
    let ports = [free_port(), free_port()];
    let start = |at: usize, life: usize| {
        let name = format!("operator-{at}-{life}");
        Replica::start_on(&space, &store, &name, ports[at])
    };
    let mut replicas = vec![start(0, 0)];
    replicas[0].leads().await;
    replicas.push(start(1, 0));
    space.request_proofs(10).await;
    let addresses = replicas
        .iter()
        .map(|replica| replica.address.clone())
        .collect();
    let crew = Crew::start(addresses, options.workers, options.rate).await;
    let (mut leader, mut outcomes) = (0, Vec::new());
    for repeat in 0..options.repeats * 2 {
        let way = if repeat % 2 == 0 {
            Way::Killed
        } else {
            Way::Stopped
        };
        // The standby has joined, and its caches are filled.
        crew.joined(2).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let began = Instant::now();
        match way {
            Way::Killed => replicas[leader].process.kill(),
            Way::Stopped => replicas[leader].terminate(),
        }
        let first_new_task = crew.delivered_since(began).await;
        // Whatever was under way has ended by then, or never does.
        let ends = Duration::from_secs(3);
        tokio::time::sleep(ends).await;
        outcomes.push(Outcome {
            way,
            first_new_task,
            longest_gap: crew.longest_gap(began),
            executed_again: crew.executed_again(),
            lost: crew.lost(ends),
        });
        replicas[leader].process.wait().unwrap();
        replicas[leader] = start(leader, repeat + 1);
        leader = 1 - leader;
    }
    drop(crew);
    drop(replicas);
    drop(store);
    space.remove().await;
    outcomes
}
