//! Deterministic simulation: the reactor behind two replicas, workers that keep to `link.proto`, stock provers beside them, a network that delays and breaks,
//! and faults at any moment. A seed decides everything; a failing one is printed.
//!
//! * `PROVOST_SIM_SEED=7` replays one seed, and prints what happens.
//! * `PROVOST_SIM_SEEDS=5000` runs that many, from `PROVOST_SIM_FIRST` on. Without, it runs some that are always the same, and as many of the day: what fails of those joins
//!   the others.
//!
//! What must hold, besides [`crate::core::Core::check`] at every tick: every proof ends exactly once; nothing is started that runs or is done in the
//! same run on a process that nobody had a reason to give up; a run begins again only when something that it depends on is gone; in the end no room
//! is taken, workers keep nothing, and the leader has forgotten everything.

mod faults;
mod ledger;
mod play;
mod process;
mod replica;
mod rng;
mod stock;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::UNIX_EPOCH;

use world::World;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn simulate(seed: u64, log: bool) -> usize {
    let mut world = World::new(seed, log);
    world.run();
    world.check_clean();
    world.ledger.starts
}

#[test]
fn whatever_fails_every_proof_ends_once_and_nothing_is_done_twice() {
    if let Some(seed) = number("PROVOST_SIM_SEED") {
        simulate(seed, true);
        return;
    }
    let seeds: Vec<u64> = match number("PROVOST_SIM_SEEDS") {
        Some(count) => {
            let first = number("PROVOST_SIM_FIRST").unwrap_or(0);
            (first..first + count).collect()
        }
        None => {
            let day = UNIX_EPOCH.elapsed().map_or(0, |t| t.as_secs() / 86_400) * 1_000;
            (0..300).chain(day..day + 300).collect()
        }
    };
    let count = seeds.len();
    let mut tasks = 0;
    let mut failed = Vec::new();
    for seed in seeds {
        match catch_unwind(AssertUnwindSafe(|| simulate(seed, false))) {
            Ok(starts) => tasks += starts,
            Err(_) => failed.push(seed),
        }
    }
    println!("{count} seeds, {tasks} tasks started");
    assert!(
        failed.is_empty(),
        "{} of {count} seeds fail: {failed:?}\nPROVOST_SIM_SEED={} replays the first",
        failed.len(),
        failed[0]
    );
}
