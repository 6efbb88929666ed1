//! The command line of `worker-sim`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::profile::Profile;
use crate::run::{self, RunArgs};

#[derive(Parser)]
#[command(
    name = "worker-sim",
    version,
    about = "Simulated workers of a Provost cluster: they prove nothing"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a cluster's coordinator.
    Run(Box<RunArgs>),
    /// Print a profile in full.
    Profile {
        /// Its name or file.
        #[arg(default_value = "default")]
        name: String,
    },
}

/// Parses the command line and runs it.
pub fn main() -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match Cli::parse().command {
        Command::Run(args) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            let code = runtime.block_on(run::run(*args))?;
            // Tasks that hang must not hold the process.
            runtime.shutdown_background();
            Ok(code)
        }
        Command::Profile { name } => {
            let profile = Profile::load(&name)?;
            println!("{}", serde_json::to_string_pretty(&profile)?);
            Ok(ExitCode::SUCCESS)
        }
    }
}
