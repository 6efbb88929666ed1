//! How long a created task waits until a worker has it, at a given rate of tasks: open loop, over loopback.
//!
//! `cargo bench -p provost-coordinator --bench latency -- [--quick] [--workers 1000] [--proofs 100] [--rates 200,1000,3000] [--rounds 5] [--seconds 3]`
//!
//! Tasks are due at even intervals whatever the servers do, and each delay counts from then. A worker has a task for 20 ms. Three servers take turns, each in a process
//! of its own: the floor, which is a tonic server without state to which the same two unary calls and one stream message go; the coordinator by its unary door; and by its
//! native door. Prints a table and, as the last line, JSON: p50 and p99 are medians over the rounds, p99.9 is over all tasks of all rounds. About two minutes; with `--quick`
//! seconds.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "server/mod.rs"]
mod server;

use std::time::Duration;

use clap::Parser;
use provost_load::report::Board;
use provost_load::{Door, Fleet, FleetSpec, Offer, offer};
use server::{Kind, Server};

#[derive(Parser)]
struct Options {
    /// Seconds instead of minutes: shows that it runs, and measures nothing.
    #[arg(long)]
    quick: bool,
    /// Workers.
    #[arg(long, default_value_t = 1000)]
    workers: usize,
    /// Proofs that the tasks belong to.
    #[arg(long, default_value_t = 100)]
    proofs: usize,
    /// Tasks a second.
    #[arg(long, value_delimiter = ',', default_values_t = [200, 1000, 3000])]
    rates: Vec<u32>,
    /// How often each server has its turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each rate is offered in each round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// How long a worker has a task, in milliseconds.
    #[arg(long, default_value_t = 20)]
    task_ms: u64,
    /// What cargo says to a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    if server::serve_if_told() {
        return;
    }
    let mut options = Options::parse();
    if options.quick {
        (options.workers, options.proofs) = (options.workers.min(50), options.proofs.min(10));
        (options.rounds, options.seconds) = (1, 1);
    }
    let board = server::runtime().block_on(measure(&options));
    println!(
        "{} workers, {} proofs, tasks of {} ms, {} rounds of {} s",
        options.workers, options.proofs, options.task_ms, options.rounds, options.seconds
    );
    board.print_table();
    let report = serde_json::json!({
        "benchmark": "created-to-delivered", "workers": options.workers, "proofs": options.proofs, "task_ms": options.task_ms,
        "rounds": options.rounds, "seconds": options.seconds, "rows": board.json(),
    });
    println!("{report}");
}

async fn measure(options: &Options) -> Board {
    let mut board = Board::default();
    for round in 0..options.rounds {
        for turn in 0..Kind::ALL.len() {
            // Another goes first each time.
            let kind = Kind::ALL[(round + turn) % Kind::ALL.len()];
            turn_of(kind, options, &mut board).await;
        }
    }
    board
}

/// One server's turn: all rates, with a fleet of its own.
async fn turn_of(kind: Kind, options: &Options, board: &mut Board) {
    let server = Server::start(kind, options.proofs);
    let spec = FleetSpec {
        door: match kind {
            Kind::Floor | Kind::Unary => Door::Unary,
            Kind::Native => Door::Native,
        },
        address: server.address.clone(),
        workers: options.workers,
        slots: 64,
        task_weight: 1,
        proofs: options.proofs,
        task_time: Duration::from_millis(options.task_ms),
    };
    let fleet = Fleet::connect(&spec).await.unwrap();
    let mut number = 0;
    for &per_second in &options.rates {
        let load = Offer {
            per_second,
            warm_up: Duration::from_millis(500),
            lasts: Duration::from_secs(options.seconds),
            patience: Duration::from_secs(5),
        };
        let cpu = server.cpu();
        let (sample, next) = offer(&fleet, load, number).await.unwrap();
        number = next;
        let case = format!("{per_second}/s");
        board.add(&case, kind.name(), &sample, server.cpu() - cpu);
    }
}
