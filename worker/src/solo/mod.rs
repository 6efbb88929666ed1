//! `worker solo`: all of a cluster but Kubernetes, on one machine. The coordinator and the store that the operator runs, with their
//! state in memory and in a folder; and two workers as processes of their own, as pods would be: one executes, one proves.

mod machine;
pub mod report;
mod workers;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use sp1_prover_types::network_base_types::ProofMode;
use sp1_sdk::{Elf, Prover as _, ProverClient, ProvingKey as _};

use crate::local::ProofArgs;
use machine::Machine;
use report::Line;

/// What `worker solo` takes.
#[derive(Debug, clap::Args)]
pub struct SoloArgs {
    /// What to prove.
    #[command(flatten)]
    pub proofs: ProofArgs,
    /// Where the store keeps what passes between tasks, for as long as this runs.
    #[arg(long, default_value = "/dev/shm")]
    pub data: PathBuf,
    /// Memory, in GiB, for the worker that executes; the one that proves gets the rest of this machine's.
    #[arg(long, default_value_t = 10)]
    pub execute_gib: u64,
}

/// Proves, verifies, and prints a line of JSON for each proof.
///
/// # Errors
/// A part does not start or ends, the proof fails, or it does not verify.
pub async fn run(args: SoloArgs) -> anyhow::Result<()> {
    let SoloArgs {
        proofs,
        data,
        execute_gib,
    } = args;
    let (elf, stdin) = (proofs.program.elf()?, proofs.program.stdin()?);
    let started = Instant::now();
    let machine = Machine::start(&data).await?;
    let mut workers = workers::start(&machine, execute_gib, proofs.prover_permits)?;
    // Nothing is proven meanwhile: the verifier's key costs no proof any time.
    let verifier = ProverClient::builder().light().build().await;
    let key = verifier.setup(Elf::from(elf.clone())).await?;
    tokio::select! {
        ended = workers.ended() => return Err(ended),
        () = machine.until_workers(workers::COUNT) => {}
    }
    let start_seconds = started.elapsed().as_secs_f64();
    tracing::info!(start_seconds, "coordinator, store and workers are there");

    for number in 1..=proofs.count {
        let mode = ProofMode::from(proofs.mode);
        let proved = tokio::select! {
            ended = workers.ended() => return Err(ended),
            proved = machine.prove(number, &elf, &stdin, mode) => proved?,
        };
        let begun = Instant::now();
        let proof = sp1_sdk::SP1ProofWithPublicValues::from(proved.proof);
        verifier
            .verify(&proof, key.verifying_key(), None)
            .context("the proof does not verify")?;
        let verify_seconds = begun.elapsed().as_secs_f64();
        if let Some(path) = proofs.output.as_ref().filter(|_| number == proofs.count) {
            proof.save(path)?;
        }
        let line = Line {
            start_seconds,
            seconds: proved.seconds,
            verify_seconds,
            proof_bytes: bincode::serialized_size(&proof)?,
            work: report::work(&proved.changes),
        };
        println!("{}", serde_json::to_string(&line)?);
    }
    Ok(())
}
