//! `worker solo`: all of a cluster but Kubernetes, on one machine. The coordinator and the store that the operator runs, with their
//! state in memory and in a folder; and two workers as processes of their own, as pods would be: one executes, one proves.

mod line;
mod machine;
pub mod report;
mod workers;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use provost_artifacts::id;
use sp1_prover::SP1VerifyingKey;
use sp1_sdk::{Elf, LightProver, Prover as _, ProverClient, ProvingKey as _};
use tokio::signal::unix::{SignalKind, signal};

use crate::local::{Mode, ProofArgs};
use crate::orders::{Order, Orders, tell};
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
    let orders = Orders::of(&args.proofs)?;
    let share = Share {
        execute_gib: args.execute_gib,
        memory_bytes: args.proofs.memory()?,
        permits: args.proofs.prover_permits,
        proves: args.proofs.mode != Mode::Execute,
    };
    let machine = Machine::start(&args.data).await?;
    let mut workers = workers::start(&machine, &share)?;
    let all = All {
        machine: &machine,
        roles: workers.roles(),
        addresses: workers.addresses(),
        patience: Duration::from_secs(args.patience),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let end = tokio::select! {
        ended = workers.ended() => Err(ended),
        why = machine.recycled() => Err(anyhow::Error::msg(why)),
        _ = terminate.recv() => Err(anyhow::anyhow!("told to stop")),
        done = all.work(began, orders, args.proofs.output.as_deref()) => done,
    };
    workers.end().await;
    end
}

/// What there is when all has been started.
struct All<'a> {
    machine: &'a Machine,
    /// That workers play.
    roles: usize,
    /// Of the workers, by class.
    addresses: Vec<(&'static str, SocketAddr)>,
    patience: Duration,
}

impl All<'_> {
    /// Waits for the workers, and does what is ordered. The last proof goes to `output`.
    async fn work(
        self,
        began: Instant,
        mut orders: Orders,
        output: Option<&Path>,
    ) -> anyhow::Result<()> {
        let verifier = ProverClient::builder().light().build().await;
        let ready = tokio::time::timeout(self.patience, self.machine.until_workers(self.roles));
        ready.await.with_context(|| {
            let patience = self.patience;
            format!("the workers are not ready within {patience:?}: see --patience")
        })?;
        tell(&Ready::of(began.elapsed(), &self.addresses).await)?;
        tracing::info!("coordinator, store and workers are there");

        let mut keys = HashMap::new();
        let mut number = 0;
        while let Some(order) = orders.next().await? {
            number += 1;
            let output = output.filter(|_| orders.is_last());
            let line = self.one(number, &order, &verifier, &mut keys, output).await;
            orders.tell(&order.what, line)?;
        }
        orders.end()
    }

    /// Proves or executes, and verifies.
    async fn one(
        &self,
        number: usize,
        order: &Order,
        verifier: &LightProver,
        keys: &mut HashMap<String, SP1VerifyingKey>,
        output: Option<&Path>,
    ) -> anyhow::Result<Line> {
        let (elf, stdin) = (order.program.elf()?, order.program.stdin()?);
        // Nothing is proven meanwhile: the key costs no proof any time.
        let program = id::program_id(&elf);
        if order.mode != Mode::Execute && !keys.contains_key(&program) {
            let key = verifier.setup(Elf::from(elf.clone())).await?;
            keys.insert(program.clone(), key.verifying_key().clone());
        }
        let work = self
            .machine
            .work(number, &elf, &stdin, order.mode, self.patience);
        let done = work.await?;
        let begun = Instant::now();
        let mut line = Line::of(&done, &self.addresses).await;
        if let (Some(proof), Some(key)) = (done.proof, keys.get(&program)) {
            let proof = sp1_sdk::SP1ProofWithPublicValues::from(proof);
            verifier
                .verify(&proof, key, None)
                .context("the proof does not verify")?;
            line.verified(begun.elapsed(), bincode::serialized_size(&proof)?);
            if let Some(path) = output {
                proof.save(path)?;
            }
        }
        Ok(line)
    }
}
