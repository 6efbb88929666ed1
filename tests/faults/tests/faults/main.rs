//! The fault suite. Each scenario is a cluster of its own; `docs/fault-suite.md` says what each does and asserts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api_server;
mod leadership;
mod network;
mod proofs;
mod store;
mod workers;
mod wraps;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::Arguments;
use provost_faults::report;

/// Scenarios side by side: most of their time is waiting.
const SIDE_BY_SIDE: usize = 8;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("faults");
    let rows = Arc::<Mutex<Vec<report::Row>>>::default();
    let groups = [
        proofs::scenarios(),
        leadership::scenarios(),
        api_server::scenarios(),
        store::scenarios(),
        workers::scenarios(),
        network::scenarios(),
        wraps::scenarios(),
    ];
    let trials = groups.into_iter().flatten();
    let trials = trials
        .map(|scenario| scenario.trial(folder.clone(), rows.clone()))
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    let mut rows = rows.lock().unwrap().clone();
    if !rows.is_empty() {
        rows.sort_by(|a, b| a.scenario.cmp(&b.scenario));
        println!("{}", report::table(&rows));
        let path = folder.join("table.md");
        report::write(&rows, &path).unwrap();
        println!("the table is in {}", path.display());
    }
    conclusion.exit_code()
}
