//! The binary `provost-operator`: controllers, coordinator and servers, or the embedded artifact store.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use provost_operator::cli::{Cli, Command};
use provost_operator::{run, store};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged unless RUST_LOG says otherwise. The runtime of the controllers puts each reconcile into a span of its own. The
/// store's protocol calls every object that is not there an error; what is one the store tells itself.
const DEFAULT_FILTER: &str = "info,kube_runtime=warn,s3s=off";

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    log(cli.log_json);
    // The graph may hold more than one provider; all of Provost uses ring. An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = match cli.into_command() {
        Command::Run(args) => run::run(args).await,
        Command::Store(args) => store::run(args).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn log(json: bool) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        registry
            .with(tracing_subscriber::fmt::layer().json())
            .init();
    } else {
        let colour = std::io::stdout().is_terminal();
        registry
            .with(tracing_subscriber::fmt::layer().with_ansi(colour))
            .init();
    }
}
