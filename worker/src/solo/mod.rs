//! `worker solo`: all of a cluster but Kubernetes, on one machine. The coordinator and the store that the operator runs, with their
//! state in memory and in a folder; and two workers as processes of their own, as pods would be: one executes, one proves.

mod line;
mod machine;
pub mod report;
mod workers;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use provost_artifacts::id;
use sp1_sdk::{Elf, Prover as _, ProverClient, ProvingKey as _};
use tokio::signal::unix::{SignalKind, signal};

use crate::local::{Mode, ProofArgs};
use crate::orders::{Orders, tell};
use line::{Line, Ready};
use machine::Machine;
use workers::Share;

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
    /// Longest wait, in seconds, for the workers to be ready, and for each proof.
    #[arg(long, default_value_t = 3600)]
    pub patience: u64,
}

/// Proves, verifies, and prints a line of JSON when all is ready and for each proof. In mode `execute` no worker proves.
///
/// # Errors
/// A part does not start or ends, a proof fails or does not end in time, or it does not verify.
pub async fn run(args: SoloArgs) -> anyhow::Result<()> {
    let began = Instant::now();
    let patience = Duration::from_secs(args.patience);
    let mut orders = Orders::of(&args.proofs)?;
    let share = Share {
        execute_gib: args.execute_gib,
        memory_bytes: args.proofs.memory()?,
        permits: args.proofs.prover_permits,
        proves: args.proofs.mode != Mode::Execute,
    };
    let machine = Machine::start(&args.data).await?;
    let mut workers = workers::start(&machine, &share)?;
    let (roles, addresses) = (workers.roles(), workers.addresses());
    let mut terminate = signal(SignalKind::terminate())?;
    let trouble = async {
        tokio::select! {
            ended = workers.ended() => ended,
            why = machine.recycled() => anyhow::anyhow!("{why}"),
            _ = terminate.recv() => anyhow::anyhow!("told to stop"),
        }
    };
    tokio::pin!(trouble);
    let verifier = ProverClient::builder().light().build().await;
    tokio::select! {
        trouble = &mut trouble => return Err(trouble),
        ready = tokio::time::timeout(patience, machine.until_workers(roles)) => {
            ready.with_context(|| format!("the workers are not ready within {patience:?}: see --patience"))?;
        }
    }
    tell(&Ready::of(began.elapsed(), &addresses).await)?;
    tracing::info!("coordinator, store and workers are there");

    let mut keys = HashMap::new();
    let mut number = 0;
    while let Some(order) = orders.next().await? {
        number += 1;
        let done = async {
            let (elf, stdin) = (order.program.elf()?, order.program.stdin()?);
            // Nothing is proven meanwhile: the key costs no proof any time.
            let program = id::program_id(&elf);
            if order.mode != Mode::Execute && !keys.contains_key(&program) {
                let key = verifier.setup(Elf::from(elf.clone())).await?;
                keys.insert(program.clone(), key.verifying_key().clone());
            }
            let work = machine.work(number, &elf, &stdin, order.mode, patience);
            let done = work.await?;
            let begun = Instant::now();
            let mut line = Line::of(&done, &addresses).await;
            if let (Some(proof), Some(key)) = (done.proof, keys.get(&program)) {
                let proof = sp1_sdk::SP1ProofWithPublicValues::from(proof);
                verifier
                    .verify(&proof, key, None)
                    .context("the proof does not verify")?;
                line.verified(begun.elapsed(), bincode::serialized_size(&proof)?);
                if let Some(path) = args.proofs.output.as_ref().filter(|_| orders.is_last()) {
                    proof.save(path)?;
                }
            }
            anyhow::Ok(line)
        };
        let line = tokio::select! {
            trouble = &mut trouble => return Err(trouble),
            line = done => line,
        };
        orders.tell(&order.what, line)?;
    }
    orders.end()
}
