//! Saturation over loopback: tasks per second, time from creation to delivery, and what a task costs the server.
//!
//! `cargo bench -p provost-coordinator --bench door -- [--json] [--seconds 4] [--rounds 3] [--workers 100] [--window 8]`
//!
//! A driver keeps `window` tasks for each worker on their way: it creates them and waits for their results, as a Controller does; each worker completes
//! what it gets at once. The floor is a server of the unary contract that keeps no state. The servers take turns, and each figure is the median of the
//! rounds. How long a task waits when the server is not saturated: see `latency.rs`.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "door/native.rs"]
mod native;
#[path = "door/report.rs"]
mod report;
#[path = "server/mod.rs"]
mod server;
#[path = "door/unary.rs"]
mod unary;

use std::time::Duration;

use report::Measured;
use server::{Kind, Server};

/// The proof that all tasks belong to.
const PROOF: &str = "proof-0";

/// What a run of load asks for.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    seconds: Duration,
    workers: usize,
    /// Tasks under way for each worker.
    window: usize,
}

fn option(name: &str, default: u64) -> u64 {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    args.nth(1)
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

fn main() {
    if server::serve_if_told() {
        return;
    }
    let load = Load {
        seconds: Duration::from_secs(option("--seconds", 4)),
        workers: usize::try_from(option("--workers", 100)).unwrap(),
        window: usize::try_from(option("--window", 8)).unwrap(),
    };
    let json = std::env::args().any(|arg| arg == "--json");
    let runtime = server::runtime();
    let mut rounds: [Vec<_>; 3] = Default::default();
    for _ in 0..option("--rounds", 3).max(1) {
        for (kind, results) in Kind::ALL.into_iter().zip(&mut rounds) {
            let server = Server::start(kind, 1);
            let sample = runtime.block_on(async {
                match kind {
                    Kind::Floor | Kind::Unary => unary::drive(&server, load).await,
                    Kind::Native => native::drive(&server, load).await,
                }
            });
            results.push(Measured::new(kind.name(), sample));
        }
    }
    let rows: Vec<_> = rounds.into_iter().map(report::median).collect();
    match json {
        true => report::json(&rows),
        false => report::table(&rows),
    }
}
