//! The verifier's binary; see [`provost_worker::verify`].

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    provost_worker::verify::main()
}
