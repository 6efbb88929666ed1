//! One file per subcommand.

mod bench;
mod cancel;
mod download;
mod get;
mod submit;
mod verify;
mod wait;
mod why;

use std::process::ExitCode;

use crate::args::{Cli, Command};
use crate::client::kube::Cluster;
use crate::error::CliError;

/// Runs the command. The code is 0 unless the command passes on that of another program.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode, CliError> {
    let cluster = || Cluster::connect(&cli.cluster);
    match cli.command {
        Command::Submit(args) => submit::run(&cluster().await?, &args).await?,
        Command::Get(args) => get::run(&cluster().await?, &args).await?,
        Command::Wait(args) => wait::run(&cluster().await?, &args).await?,
        Command::Download(args) => download::run(&cluster().await?, &args).await?,
        Command::Verify(args) => return verify::run(&cli.cluster, &args).await,
        Command::Cancel(args) => cancel::run(&cluster().await?, &args).await?,
        Command::Why(args) => why::run(&cluster().await?, &args).await?,
        Command::Bench(command) => bench::run(&cluster().await?, &command).await?,
    }
    Ok(ExitCode::SUCCESS)
}
