//! The worker's binary; all of it is in the library, so that SP1's generic code is compiled once.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    provost_worker::cli::main()
}
