//! How long it takes until an idle worker has the Controller of a ProofRequest that was just created.
//!
//! `hack/cluster up --api-only && cargo bench -p provost-operator --bench begin -- [--quick] [--proofs 100]`
//!
//! The binary that is shipped, with its own settings, against a real kube-apiserver and the embedded store; the worker is Provost's own link. One ProofRequest after the other. The floor is what has
//! to be written for it, by nobody's controller: the request, a patch of it (its finalizer), one of its status, a ProvingTask, each after the last. Prints a table and, as the last line, JSON.
//! Under a minute.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "cluster/mod.rs"]
mod cluster;

use std::time::{Duration, Instant};

use clap::Parser;
use cluster::api::{Space, client, create};
use cluster::operator::{Replica, Store};
use kube::api::{Patch, PatchParams};
use provost_link::{Config, Link, Orders, Role, TaskType, WorkerType};
use provost_test_support::{elf, install};
use serde_json::{Value, json};

/// Longest wait for an order.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two requests: what the last one leaves to be done is done by then.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Parser)]
struct Options {
    /// Ten proofs.
    #[arg(long)]
    quick: bool,
    /// Proofs.
    #[arg(long, default_value_t = 100)]
    proofs: usize,
    /// What cargo says to a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What was seen, in milliseconds, sorted.
struct Times {
    what: &'static str,
    sorted: Vec<f64>,
}

impl Times {
    fn new(what: &'static str, times: Vec<Duration>) -> Self {
        let mut sorted: Vec<_> = times.iter().map(|t| t.as_secs_f64() * 1e3).collect();
        sorted.sort_by(f64::total_cmp);
        Self { what, sorted }
    }

    /// The least time that this part of all do not exceed.
    fn quantile(&self, part: f64) -> f64 {
        let at = (self.sorted.len() as f64 * part).ceil() as usize;
        self.sorted[at.clamp(1, self.sorted.len()) - 1]
    }
}

fn main() {
    let mut options = Options::parse();
    if options.quick {
        options.proofs = 10;
    }
    let rows = cluster::runtime().block_on(measure(options.proofs));
    println!("| ms | p50 | p95 | most |");
    println!("| --- | ---: | ---: | ---: |");
    let mut report: Vec<Value> = Vec::new();
    for times in &rows {
        let [p50, p95, most] = [0.5, 0.95, 1.0].map(|part| times.quantile(part));
        println!("| {} | {p50:.1} | {p95:.1} | {most:.1} |", times.what);
        report.push(json!({"what": times.what, "p50_ms": p50, "p95_ms": p95, "most_ms": most}));
    }
    println!(
        "{}",
        json!({"benchmark": "begin", "proofs": options.proofs, "rows": report})
    );
}

async fn measure(proofs: usize) -> Vec<Times> {
    let client = client().await;
    install(client.clone(), "operator-test").await;
    let (space, empty) = (
        Space::create(&client, "begin").await,
        Space::create(&client, "begin-floor").await,
    );
    let store = Store::start(&space);
    let mut replica = Replica::start(&space, &store, "operator-0");
    replica.leads().await;
    let here = tokio::runtime::Handle::current();
    let link = Link::start_on(&here, Config::new(vec![replica.address.clone()], "worker")).unwrap();
    let mut orders = link.add_role(Role {
        name: "execute".to_owned(),
        class: WorkerType::Cpu,
        max_weight: 1_000_000,
        provers: 0,
        device: None,
        shard_elements: 0,
    });
    let (mut from_sending, mut from_answer, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    // The first fills caches of its own.
    one(&space, "first", &mut orders).await;
    for number in 0..proofs {
        let (sent, answered) = one(&space, &format!("proof-{number}"), &mut orders).await;
        from_sending.push(sent);
        from_answer.push(answered);
        tokio::time::sleep(PAUSE).await;
        floor.push(writes(&empty, number).await);
    }
    drop(orders);
    drop(link);
    drop(replica);
    drop(store);
    space.remove().await;
    empty.remove().await;
    vec![
        Times::new("request sent to Controller received", from_sending),
        Times::new("request accepted to Controller received", from_answer),
        Times::new("the four writes, nothing else", floor),
    ]
}

fn request(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"program": {"inline": elf::inline(8)}}})
}

/// From when a request was sent, and from when it was accepted, until the worker has its Controller.
async fn one(space: &Space, name: &str, orders: &mut Orders) -> (Duration, Duration) {
    let sent = Instant::now();
    create(&space.proofs(), request(name)).await;
    let accepted = Instant::now();
    let order = tokio::time::timeout(PATIENCE, orders.recv()).await;
    let order = order.unwrap().unwrap();
    assert_eq!(order.data.task_type(), TaskType::Controller);
    // It stays with the worker: what ends it is no part of this.
    std::mem::forget(order);
    (sent.elapsed(), accepted.elapsed())
}

async fn writes(space: &Space, number: usize) -> Duration {
    let name = format!("floor-{number}");
    let params = PatchParams::default();
    let patch = |value| Patch::Merge(value);
    let began = Instant::now();
    create(&space.proofs(), request(&name)).await;
    let finalizer = patch(json!({"metadata": {"finalizers": ["provost.dev/artifacts"]}}));
    space
        .proofs()
        .patch(&name, &params, &finalizer)
        .await
        .unwrap();
    let status = patch(json!({"status": {"progress": "0/1"}}));
    space
        .proofs()
        .patch_status(&name, &params, &status)
        .await
        .unwrap();
    let task = json!({
        "metadata": {"name": name},
        "spec": {"proof": name, "taskId": name, "taskType": "Controller", "weight": 1, "root": true},
    });
    create(&space.tasks(), task).await;
    began.elapsed()
}
