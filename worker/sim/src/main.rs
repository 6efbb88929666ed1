//! The simulated worker's binary; all of it is in the library.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    provost_worker_sim::cli::main()
}
