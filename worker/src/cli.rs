//! The worker's command line.

use std::io::{IsTerminal as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use provost_device::{DeviceError, NO_DEVICE};
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::artifacts::origin;
use crate::engine::known_answer::KnownAnswerError;
use crate::{local, run, solo};

/// The exit code of a panic, as Rust has it.
const PANICKED: u8 = 101;

/// The exit code of what failed for another reason.
const FAILED: u8 = 1;

#[derive(Parser)]
#[command(
    name = "worker",
    version,
    about = "Runs SP1 proving tasks for a Provost cluster"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a cluster's coordinator.
    Run(run::RunArgs),
    /// Prove one program in this process, without a cluster.
    Prove(local::ProveArgs),
    /// Execute one program in this process and print what it cost.
    Execute(local::ExecuteArgs),
    /// Prove something whose answer is known, and tell what it was proven on: whether this machine's device computes rightly.
    Check,
    /// Prove one program on this machine with all of a cluster but Kubernetes: coordinator, store, a worker that executes
    /// and one that proves.
    Solo(solo::SoloArgs),
}

/// Parses the command line and runs it.
pub fn main() -> anyhow::Result<ExitCode> {
    let loaded = provost_device::loaded();
    // SP1 logs public values at info: they are the user's business.
    init_log("info,sp1_prover=warn");
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let work = async {
        match cli.command {
            Command::Run(args) => run::run(args, loaded).await,
            Command::Prove(args) => local::prove(args, loaded).await.map(|()| 0),
            Command::Execute(args) => local::execute(args).await.map(|()| 0),
            Command::Check => local::check().await.map(|()| 0),
            Command::Solo(args) => solo::run(args).await.map(|()| 0),
        }
    };
    // A panic of SP1 must not lead around the end below.
    let code = catch_unwind(AssertUnwindSafe(|| runtime.block_on(work)));
    let code = code.unwrap_or_else(|_| Ok(PANICKED));
    let code = code.unwrap_or_else(|error| {
        let Some(reason) = no_device(&error) else {
            let _ = writeln!(std::io::stderr(), "Error: {error:?}");
            return FAILED;
        };
        tracing::error!(reason, "{error:#}");
        NO_DEVICE
    });
    if cfg!(feature = "gpu") {
        // CUDA's own clean-up may wait for a device for ever, and SP1 panics where a device takes nothing back.
        let _ = std::io::stdout().flush();
        provost_device::leave(code);
    }
    // Proving threads that nothing can stop must not hold the process.
    runtime.shutdown_background();
    Ok(ExitCode::from(code))
}

/// Why there is nothing to prove on, if that is what the error says.
fn no_device(error: &anyhow::Error) -> Option<&'static str> {
    let device = error.downcast_ref().map(DeviceError::reason);
    let answer = error.downcast_ref::<KnownAnswerError>();
    let wrong = answer.filter(|answer| !matches!(answer, KnownAnswerError::Execution(_)));
    device.or_else(|| wrong.map(KnownAnswerError::reason))
}

/// Logs to standard error, at `level` unless RUST_LOG says otherwise.
pub(crate) fn init_log(level: &str) {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter(filter);
    tracing_subscriber::registry()
        .with(origin::layer())
        .with(log)
        .init();
}
