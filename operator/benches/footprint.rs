//! CPU and memory of the operator with 10,000 live tasks.
//!
//! `hack/cluster up --api-only && cargo bench -p provost-operator --bench footprint -- [--quick] [--tasks 10000] [--workers 1000] [--proofs 100]`
//!
//! The binary that is shipped, with its own settings, against a real kube-apiserver; the workers join by the native door. Looked at in turn: nobody there; the fleet joined and idle, which
//! is the floor; all tasks running; and all tasks running while a tenth of them ends every second and as many are created. Prints a table and, as the last line, JSON. About
//! a minute and a half; with `--quick` half a minute.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "cluster/mod.rs"]
mod cluster;

use std::time::{Duration, Instant};

use clap::Parser;
use cluster::api::{Space, client};
use cluster::operator::{Replica, Store};
use provost_load::{Door, Fleet, FleetSpec, Offer, offer};
use provost_test_support::install;
use serde_json::{Value, json};

#[derive(Parser)]
struct Options {
    /// Shows that it runs, and measures nothing.
    #[arg(long)]
    quick: bool,
    /// Live tasks.
    #[arg(long, default_value_t = 10_000)]
    tasks: u32,
    /// Workers.
    #[arg(long, default_value_t = 1000)]
    workers: usize,
    /// ProofRequests that the tasks belong to.
    #[arg(long, default_value_t = 100)]
    proofs: usize,
    /// What cargo says to a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What the operator used in a while.
struct Look {
    what: &'static str,
    cpu_percent: f64,
    resident: u64,
    most_resident: u64,
    running: u64,
}

fn main() {
    let mut options = Options::parse();
    if options.quick {
        options.tasks = options.tasks.min(500);
        (options.workers, options.proofs) = (options.workers.min(50), options.proofs.min(5));
    }
    let looks = cluster::runtime().block_on(measure(&options));
    println!(
        "{} workers, {} ProofRequests",
        options.workers, options.proofs
    );
    println!("| | running tasks | CPU, % of a core | resident MB | most ever |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let mut rows: Vec<Value> = Vec::new();
    for look in &looks {
        println!(
            "| {} | {} | {:.1} | {:.1} | {:.1} |",
            look.what,
            look.running,
            look.cpu_percent,
            mib(look.resident),
            mib(look.most_resident)
        );
        rows.push(json!({
            "what": look.what, "running": look.running, "cpu_percent": look.cpu_percent,
            "resident_bytes": look.resident, "most_resident_bytes": look.most_resident,
        }));
    }
    let report = json!({
        "benchmark": "operator-footprint", "tasks": options.tasks, "workers": options.workers, "proofs": options.proofs, "rows": rows,
    });
    println!("{report}");
}

async fn measure(options: &Options) -> Vec<Look> {
    let client = client().await;
    install(client.clone(), "operator-test").await;
    let space = Space::create(&client, "footprint").await;
    let store = Store::start(&space);
    let mut replica = Replica::start(&space, &store, "operator");
    replica.leads().await;
    let quick = options.quick;
    let mut looks = vec![look("nobody there", &replica, None, quick).await];
    space.request_proofs(options.proofs).await;
    let slots = options
        .tasks
        .div_ceil(u32::try_from(options.workers).unwrap())
        * 2;
    let spec = FleetSpec {
        door: Door::Native,
        address: replica.address.clone(),
        workers: options.workers,
        slots,
        task_weight: 4,
        proofs: options.proofs,
        task_time: Duration::from_secs(if quick { 10 } else { 30 }),
    };
    let fleet = Fleet::connect(&spec);
    let fleet = tokio::time::timeout(Duration::from_secs(60), fleet).await;
    let fleet = fleet
        .expect("the driver did not get all root tasks")
        .unwrap();
    looks.push(look("fleet joined, idle", &replica, Some(&fleet), quick).await);

    let rush = Offer {
        per_second: options.tasks.div_ceil(4),
        warm_up: Duration::ZERO,
        lasts: Duration::from_secs(4),
        patience: Duration::from_secs(10),
    };
    let (_, next) = offer(&fleet, rush, 0).await.unwrap();
    looks.push(look("all tasks running", &replica, Some(&fleet), quick).await);
    while running(&fleet) > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let task_time = Duration::from_secs(10);
    fleet.set_task_time(task_time);
    let lasts = task_time + look_time(quick) + Duration::from_secs(2);
    let churn = Offer {
        per_second: options.tasks / 10,
        warm_up: Duration::ZERO,
        lasts,
        patience: Duration::from_secs(5),
    };
    let churned = offer(&fleet, churn, next);
    let looked = async {
        tokio::time::sleep(task_time + Duration::from_secs(1)).await;
        look("a tenth ends every second", &replica, Some(&fleet), quick).await
    };
    let (churned, looked) = tokio::join!(churned, looked);
    churned.unwrap();
    looks.push(looked);
    drop(fleet);
    drop(replica);
    drop(store);
    space.remove().await;
    looks
}

const fn look_time(quick: bool) -> Duration {
    Duration::from_secs(if quick { 2 } else { 10 })
}

/// Tasks that workers have.
fn running(fleet: &Fleet) -> u64 {
    let counts = fleet.tally().counts();
    counts.delivered - counts.done
}

/// Looks at what the operator uses for a while.
async fn look(what: &'static str, replica: &Replica, fleet: Option<&Fleet>, quick: bool) -> Look {
    // What came before has its effects behind it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (began, before) = (Instant::now(), replica.process.usage().unwrap());
    tokio::time::sleep(look_time(quick)).await;
    let after = replica.process.usage().unwrap();
    let cpu = (after.cpu - before.cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    Look {
        what,
        cpu_percent: cpu * 100.0,
        resident: after.resident,
        most_resident: after.most_resident,
        running: fleet.map_or(0, running),
    }
}
