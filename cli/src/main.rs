//! `kubectl proof`: submit, watch, fetch and verify the proofs of a Provost cluster.

mod args;
mod client;
mod commands;
mod error;
mod input;
mod render;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match commands::run(args::Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            render::say(&format!("error: {error}"));
            error.exit_code()
        }
    }
}
