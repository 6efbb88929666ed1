//! Execution needs no prover: a controller over a verifier that is ready in less than a second.

use std::sync::Arc;

use sp1_core_executor::{ExecutionReport, Program, SP1Context, SP1CoreOpts};
use sp1_core_machine::io::SP1Stdin;
use sp1_core_machine::riscv::RiscvAir;
use sp1_primitives::io::SP1PublicValues;
use sp1_prover::verify::{SP1Verifier, VerifierRecursionVks};
use sp1_prover::worker::{
    SP1Controller, SP1ControllerConfig, SP1ExecutorConfig, SP1NodeCore, SP1WorkerConfig,
    execute_with_options,
};

use super::parts::Parts;
use super::threads::Threads;
use crate::artifacts::{Artifacts, ProofScope};
use crate::coordinator::Client;

/// All that Controller, CoreExecute and ExecuteOnly need, and threads of their own.
pub struct ExecuteEngine {
    threads: Threads,
    config: SP1ControllerConfig,
    verifier: SP1Verifier,
    artifacts: Artifacts,
}

impl ExecuteEngine {
    /// Builds the verifier and takes SP1's settings from its environment variables, for tasks of `weight` GiB together. Blocks for the better part of a second: the machine and the
    /// keys of the recursion programs are made side by side.
    ///
    /// # Errors
    /// The threads cannot be made.
    pub fn new(opts: SP1CoreOpts, artifacts: Artifacts, weight: usize) -> std::io::Result<Self> {
        let (machine, keys) = std::thread::scope(|scope| {
            let keys = scope.spawn(VerifierRecursionVks::default);
            let machine = RiscvAir::machine();
            (
                machine,
                keys.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            )
        });
        let mut config = SP1WorkerConfig::new(machine.clone()).controller_config;
        config.opts = opts;
        let verifier = SP1Verifier::new_with_machine(keys, machine);
        // SP1 counts a program's gas in tasks that keep their thread for a whole chunk, two for an execution of 4 GiB: others are to have threads besides.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            threads: Threads::new("execute", Some(cores + weight / 2))?,
            config,
            verifier,
            artifacts,
        })
    }

    /// Runs `work` on the engine's threads, for as long as it is awaited. A panic of it is one of the caller's.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.threads.run_while_awaited(work).await
    }

    /// The store client that tasks share.
    pub fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }

    /// What a task of `proof_id` works in, which may be the one that drives it: ids with the proof's tag, and the checks on what it stores and reads.
    pub fn scope(&self, proof_id: &str, drives: bool) -> Arc<ProofScope> {
        let verifier = SP1NodeCore::new(self.verifier.clone(), self.config.opts.clone());
        ProofScope::new(proof_id, verifier, drives)
    }

    /// SP1's controller for one task. It is cheap, and one per task is what lets its ids be the proof's own, and its calls the run's. `shards` is how many
    /// trace elements a shard may have, where the task says so.
    pub fn controller(
        &self,
        scope: Arc<ProofScope>,
        client: Client,
        shards: Option<u64>,
    ) -> SP1Controller<Artifacts, Client> {
        let mut config = self.config.clone();
        if let Some(elements) = shards {
            config.opts.sharding_threshold.element_threshold = elements;
        }
        SP1Controller::new(
            config,
            self.artifacts.bound(scope),
            client,
            self.verifier.clone(),
        )
    }

    /// Executes a program without proving it: see [`execute`].
    pub async fn execute(
        &self,
        elf: &[u8],
        stdin: SP1Stdin,
        max_cycles: Option<u64>,
        parts: &Parts,
    ) -> anyhow::Result<Executed> {
        execute(elf, stdin, max_cycles, self.config.opts.clone(), parts).await
    }
}

/// Public values, their digest as the program committed it, and what the execution cost.
pub type Executed = (SP1PublicValues, [u8; 32], ExecutionReport);

/// Executes a program without proving it, counting cycles and gas. At `max_cycles` it fails. `parts` are what works on it.
pub async fn execute(
    elf: &[u8],
    stdin: SP1Stdin,
    max_cycles: Option<u64>,
    opts: SP1CoreOpts,
    parts: &Parts,
) -> anyhow::Result<Executed> {
    let program = Program::from(elf)
        .map_err(|error| anyhow::anyhow!("failed to dissassemble program: {error}"))?;
    let program = Arc::new(program);
    parts.add(&program);
    let mut context = SP1Context::builder();
    context.calculate_gas(true);
    if let Some(limit) = max_cycles {
        context.max_cycles(limit);
    }
    let config = SP1ExecutorConfig::default();
    execute_with_options(program, stdin, context.build(), opts, config).await
}
