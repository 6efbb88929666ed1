//! How long a created task waits until a worker has it, with durable state on and a real kube-apiserver behind; and what that writes.
//!
//! `hack/cluster up --api-only && cargo bench -p provost-operator --bench durable -- [--quick] [--workers 1000] [--proofs 100] [--rates 200,1000,3000]`
//! `[--long-rate 100] [--long-ms 2000] [--window 8] [--rounds 3] [--seconds 3]`
//!
//! The operator is the binary that is shipped, with its own settings, in a namespace of its own, and the tasks belong to ProofRequests. Open loop, as in the
//! coordinator's `latency` benchmark: tasks of 20 ms, which end before the persist horizon, then *long* ones, which do not; at last saturated, a closed loop of tasks that end at once. The floor is a server without
//! state, beside a process that writes to the same API server as often as the operator did under the same load in the same round. The writes are counted by the API server: nobody
//! else may use it meanwhile. Prints tables and, as the last line, JSON. Three minutes; with `--quick` half a minute.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "cluster/mod.rs"]
mod cluster;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Parser;
use cluster::api::{Space, client, writes_between, writes_served};
use cluster::operator::{Replica, Store};
use cluster::writes::{self, RawRate, paced, raw_rate};
use kube::Client;
use provost_load::report::{Board, FLOOR, median};
use provost_load::{Door, Fleet, FleetSpec, Offer, Process, Sample, Saturation, offer, saturate};
use provost_test_support::install;
use serde_json::json;

/// Tells the process to be the floor, with how many proofs.
const FLOOR_VARIABLE: &str = "PROVOST_BENCH_FLOOR";

#[derive(Parser)]
struct Options {
    /// Shows that it runs, and measures nothing.
    #[arg(long)]
    quick: bool,
    /// Workers.
    #[arg(long, default_value_t = 1000)]
    workers: usize,
    /// ProofRequests that the tasks belong to.
    #[arg(long, default_value_t = 100)]
    proofs: usize,
    /// Tasks of 20 ms a second.
    #[arg(long, value_delimiter = ',', default_values_t = [200, 1000, 3000])]
    rates: Vec<u32>,
    /// Long tasks a second.
    #[arg(long, default_value_t = 100)]
    long_rate: u32,
    /// How long a worker has a long task, in milliseconds.
    #[arg(long, default_value_t = 2000)]
    long_ms: u64,
    /// Tasks under way for each worker when the server is saturated; 0 leaves that out.
    #[arg(long, default_value_t = 8)]
    window: u64,
    /// How often each server has its turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each rate is offered in each round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// What cargo says to a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A load that all servers get.
#[derive(Clone)]
struct Case {
    name: String,
    load: Load,
    task_time: Duration,
}

#[derive(Clone, Copy)]
enum Load {
    /// So many tasks a second.
    Rate(u32),
    /// As many as the server takes, with so many under way.
    Saturated(u64),
}

impl Options {
    fn cases(&self) -> Vec<Case> {
        let short = self.rates.iter().map(|rate| Case {
            name: format!("{rate}/s of 20 ms"),
            load: Load::Rate(*rate),
            task_time: Duration::from_millis(20),
        });
        let long = Case {
            name: format!("{}/s of {} ms", self.long_rate, self.long_ms),
            load: Load::Rate(self.long_rate),
            task_time: Duration::from_millis(self.long_ms),
        };
        let saturated = (self.window > 0).then(|| Case {
            name: "saturated".to_owned(),
            load: Load::Saturated(self.window * self.workers as u64),
            task_time: Duration::ZERO,
        });
        short.chain([long]).chain(saturated).collect()
    }
}

/// What was written for the tasks of a case, by door.
#[derive(Default)]
struct Written {
    per_task: BTreeMap<(String, &'static str), Vec<[f64; 2]>>,
    per_second: BTreeMap<String, f64>,
}

fn main() {
    if let Ok(proofs) = std::env::var(FLOOR_VARIABLE) {
        cluster::runtime().block_on(be_floor(proofs.parse().unwrap()));
        return;
    }
    if writes::write_if_told() {
        return;
    }
    let mut options = Options::parse();
    if options.quick {
        (options.workers, options.proofs) = (options.workers.min(50), options.proofs.min(5));
        (options.rounds, options.seconds) = (1, 1);
    }
    let (board, written, raw) = cluster::runtime().block_on(measure(&options));
    report(&options, &board, &written, &raw);
}

async fn be_floor(proofs: usize) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    provost_load::floor::serve(listener, proofs).await.unwrap();
}

async fn measure(options: &Options) -> (Board, Written, RawRate) {
    let client = client().await;
    install(client.clone(), "operator-test").await;
    let (mut board, mut written) = (Board::default(), Written::default());
    for _ in 0..options.rounds {
        // The floor comes last: what it has beside it is what the operator wrote.
        for door in [Door::Native, Door::Unary] {
            operator_turn(options, &client, door, &mut board, &mut written).await;
        }
        floor_turn(options, &client, &mut board, &written).await;
    }
    let space = Space::create(&client, "raw").await;
    let lasts = Duration::from_secs(if options.quick { 1 } else { 4 });
    let raw = raw_rate(&space, lasts).await;
    space.remove().await;
    (board, written, raw)
}

async fn operator_turn(
    options: &Options,
    client: &Client,
    door: Door,
    board: &mut Board,
    written: &mut Written,
) {
    let space = Space::create(client, "durable").await;
    let store = Store::start(&space);
    let mut replica = Replica::start(&space, &store, "operator");
    replica.leads().await;
    space.request_proofs(options.proofs).await;
    let (name, address) = match door {
        Door::Unary => ("unary", &replica.stock),
        Door::Native => ("native", &replica.address),
    };
    // Weights are the operator's own: a shard takes 4.
    let fleet = connect(options, door, address, 4).await;
    // The roots are written down once they have run for a while: that is not what the tasks write.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut number = 0;
    for case in options.cases() {
        fleet.set_task_time(case.task_time);
        let (before, began) = (writes_served(client).await, Instant::now());
        let cpu = replica.process.usage().unwrap().cpu;
        let (sample, next) = put(&fleet, options, &case, number).await;
        let cpu = replica.process.usage().unwrap().cpu - cpu;
        // Until the last ones are done and their objects are gone.
        tokio::time::sleep(case.task_time + Duration::from_millis(1500)).await;
        let writes = writes_between(&before, &writes_served(client).await);
        let tasks = (next - number) as f64;
        number = next;
        let [of_tasks, of_proofs] =
            ["provingtasks", "proofrequests"].map(|kind| writes[kind] as f64);
        let key = (case.name.clone(), name);
        let per_task = written.per_task.entry(key).or_default();
        per_task.push([of_tasks / tasks, of_proofs / tasks]);
        let per_second = (of_tasks + of_proofs) / began.elapsed().as_secs_f64();
        written.per_second.insert(case.name.clone(), per_second);
        board.add(&case.name, name, &sample, cpu);
    }
    drop(fleet);
    drop(replica);
    drop(store);
    space.remove().await;
}

async fn floor_turn(options: &Options, client: &Client, board: &mut Board, written: &Written) {
    let space = Space::create(client, "floor").await;
    let proofs = options.proofs.to_string();
    let (floor, address) = Process::start_self(FLOOR_VARIABLE, &proofs).unwrap();
    let fleet = connect(options, Door::Unary, &address, 1).await;
    let mut number = 0;
    for case in options.cases() {
        fleet.set_task_time(case.task_time);
        let writer = paced(&space, written.per_second[&case.name].max(1.0));
        let cpu = floor.usage().unwrap().cpu;
        let (sample, next) = put(&fleet, options, &case, number).await;
        number = next;
        board.add(&case.name, FLOOR, &sample, floor.usage().unwrap().cpu - cpu);
        drop(writer);
    }
    drop(fleet);
    space.remove().await;
}

async fn connect(options: &Options, door: Door, address: &str, task_weight: u32) -> Fleet {
    let spec = FleetSpec {
        door,
        address: address.to_owned(),
        workers: options.workers,
        slots: 64,
        task_weight,
        proofs: options.proofs,
        task_time: Duration::from_millis(20),
    };
    let fleet = Fleet::connect(&spec);
    let fleet = tokio::time::timeout(Duration::from_secs(60), fleet).await;
    fleet
        .expect("the driver did not get all root tasks")
        .unwrap()
}

/// Puts the load of a case on the fleet's server.
async fn put(fleet: &Fleet, options: &Options, case: &Case, first: u64) -> (Sample, u64) {
    let warm_up = Duration::from_millis(500);
    let lasts = Duration::from_secs(options.seconds);
    let patience = Duration::from_secs(5);
    match case.load {
        Load::Rate(per_second) => {
            let load = Offer {
                per_second,
                warm_up,
                lasts,
                patience,
            };
            offer(fleet, load, first).await.unwrap()
        }
        Load::Saturated(window) => {
            let load = Saturation {
                window,
                warm_up,
                lasts,
                patience,
            };
            saturate(fleet, load, first).await
        }
    }
}

fn report(options: &Options, board: &Board, written: &Written, raw: &RawRate) {
    println!(
        "{} workers, {} ProofRequests, {} rounds of {} s",
        options.workers, options.proofs, options.rounds, options.seconds
    );
    board.print_table();
    println!(
        "\n| load | door | ProvingTask writes a task | ProofRequest writes a task | beside the floor, writes/s |"
    );
    println!("| --- | --- | ---: | ---: | ---: |");
    let mut rows = Vec::new();
    for ((case, door), samples) in &written.per_task {
        let of = |at: usize| median(&samples.iter().map(|s| s[at]).collect::<Vec<_>>());
        let beside = written.per_second[case];
        println!(
            "| {case} | {door} | {:.3} | {:.3} | {beside:.0} |",
            of(0),
            of(1)
        );
        rows.push(json!({
            "load": case, "door": door, "provingtask_writes_per_task": of(0), "proofrequest_writes_per_task": of(1),
            "floor_writes_per_second": beside,
        }));
    }
    println!(
        "\nThe API server, four writers in a closed loop: {:.0} creates/s, {:.0} status patches/s, {:.0} deletes/s",
        raw.creates, raw.patches, raw.deletes
    );
    let report = json!({
        "benchmark": "created-to-delivered-durable", "workers": options.workers, "proofs": options.proofs, "rounds": options.rounds,
        "seconds": options.seconds, "rows": board.json(), "writes": rows, "api_server": raw.json(),
    });
    println!("{report}");
}
