//! Load over loopback: tasks per second, time from creation to delivery, and what a task costs the server.
//!
//! `cargo bench -p provost-coordinator --bench door -- [--json] [--seconds 5] [--workers 100] [--window 8]`
//!
//! The server runs in a process of its own, so that its CPU time is its alone. A driver keeps `window` tasks for each worker on their way: it creates
//! them and waits for their results, as a Controller does; each worker completes what it gets at once. The floor is a server of the unary contract
//! that keeps no state: it passes a created task on to some worker, and takes a completion for granted.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "door/floor.rs"]
mod floor;
#[path = "door/native.rs"]
mod native;
#[path = "door/report.rs"]
mod report;
#[path = "door/server.rs"]
mod server;
#[path = "door/unary.rs"]
mod unary;

use std::time::Duration;

use report::Measured;
use server::{Kind, Server};

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
    if let Ok(kind) = std::env::var(server::KIND) {
        server::serve(&kind);
        return;
    }
    let load = Load {
        seconds: Duration::from_secs(option("--seconds", 5)),
        workers: usize::try_from(option("--workers", 100)).unwrap(),
        window: usize::try_from(option("--window", 8)).unwrap(),
    };
    let json = std::env::args().any(|arg| arg == "--json");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut rows = Vec::new();
    for kind in [Kind::Floor, Kind::Unary, Kind::Native] {
        let server = Server::start(kind);
        let sample = runtime.block_on(async {
            match kind {
                Kind::Floor | Kind::Unary => unary::drive(&server, load).await,
                Kind::Native => native::drive(&server, load).await,
            }
        });
        rows.push(Measured::new(kind.name(), sample));
    }
    match json {
        true => report::json(&rows),
        false => report::table(&rows),
    }
}
