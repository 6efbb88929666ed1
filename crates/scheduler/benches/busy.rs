//! How busy 1,000 simulated GPUs are under a mixed load: Provost's scheduler against SP1's own cluster's balanced policy, on the same proofs.
//!
//! `cargo bench -p provost-scheduler --bench busy -- [--quick] [--seeds 3] [--gpus 1000] [--minutes 10]`
//!
//! Discrete events: the time is the simulation's own, so that the machine does not matter. `docs/benchmarks.md` describes the load; `busy/load.rs` is it. Prints tables and, as
//! the last line, JSON. About a minute; with `--quick`, or without any argument, seconds.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark"
)]

#[path = "busy/balanced.rs"]
mod balanced;
#[path = "busy/cases.rs"]
mod cases;
#[path = "busy/graph.rs"]
mod graph;
#[path = "busy/load.rs"]
mod load;
#[path = "busy/measure.rs"]
mod measure;
#[path = "busy/provost.rs"]
mod provost;
#[path = "busy/random.rs"]
mod random;
#[path = "busy/report.rs"]
mod report;
#[path = "busy/simulate.rs"]
mod simulate;
#[path = "busy/task.rs"]
mod task;

use std::time::Instant;

use balanced::Balanced;
use load::Settings;
use provost::Provost;
use report::{CaseResult, Run};
use simulate::Simulation;
use task::{Class, Policy, Worker};

/// Memory for tasks of a prover: six shards at once, as SP1's cluster runs 24 GB cards.
const PROVER: u32 = 24;
/// The same of executors, by turns: some can hold a PlonkWrap, some cannot.
const EXECUTORS: [u32; 4] = [96, 96, 96, 48];
/// Provers for each executor.
const PROVERS_PER_EXECUTOR: u32 = 25;

fn policies() -> [Box<dyn Policy>; 3] {
    [
        Box::new(Provost::new()),
        Box::new(Provost::by_memory()),
        Box::new(Balanced::default()),
    ]
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|a| a == name);
        let value = at.and_then(|at| arguments.get(at + 1)?.parse().ok());
        value.unwrap_or(default)
    };
    let quick = arguments.is_empty() || arguments.iter().any(|a| a == "--quick");
    let (seeds, minutes, gpus) = if quick { (1, 1, 50) } else { (3, 10, 1_000) };
    let settings = Settings {
        gpus: u32::try_from(number("--gpus", gpus)).unwrap(),
        lasts: number("--minutes", minutes) * 60_000,
        quiet: 0.1,
        busy: 2.0,
        period: 60_000,
        tenants: 12,
    };
    let mut runs = Vec::new();
    for seed in 1..=number("--seeds", seeds) {
        let requests = load::requests(&settings, seed);
        for mut policy in policies() {
            let name = policy.name();
            let began = Instant::now();
            let mut simulation =
                Simulation::new(policy.as_mut(), workers(settings.gpus), settings.tenants);
            simulation.count_until(settings.lasts);
            let meter = simulation.run(&requests, settings.lasts * 3);
            runs.push(Run::new(
                name,
                seed,
                requests.len(),
                &meter,
                began.elapsed(),
            ));
        }
    }
    let cases = cases::CASES.iter().map(|case| CaseResult {
        name: case.name,
        of: case.of,
        took: policies().map(|mut policy| (policy.name(), case.run(policy.as_mut()))),
    });
    report::print(&settings, &runs, &cases.collect::<Vec<_>>());
}

fn workers(gpus: u32) -> Vec<Worker> {
    let provers = (0..gpus).map(|id| Worker {
        id,
        class: Class::Gpu,
        capacity: PROVER,
    });
    let executors = (0..gpus.div_ceil(PROVERS_PER_EXECUTOR)).map(|number| Worker {
        id: gpus + number,
        class: Class::Cpu,
        capacity: EXECUTORS[number as usize % EXECUTORS.len()],
    });
    provers.chain(executors).collect()
}
