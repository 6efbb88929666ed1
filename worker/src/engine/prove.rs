//! The full proving engine, on a CPU.

use std::sync::Arc;

use futures::future::BoxFuture;
use sp1_core_executor::SP1CoreOpts;
use sp1_core_machine::riscv::RiscvAir;
use sp1_hypercube::prover::{CpuShardProver, ProverSemaphore};
use sp1_prover::worker::{SP1Worker, SP1WorkerBuilder, cpu_worker_builder};
use sp1_prover::{CpuSP1ProverComponents, CpuWrapProverBuilder, SP1ProverComponents};
use tokio::runtime::Handle;

use crate::artifacts::Artifacts;
use crate::coordinator::Client;

/// The engine over our clients.
pub type Prover = SP1Worker<Artifacts, Client, CpuSP1ProverComponents>;

/// The engine, on threads of its own: building it and proving keep a thread busy for seconds, while the process must go
/// on to answer the coordinator, to execute and to hear SIGTERM.
pub struct ProveEngine {
    prover: Prover,
    runtime: Handle,
}

/// SP1's CPU builder with `permits` provers at once in place of its fixed four.
pub fn prover_builder(
    opts: SP1CoreOpts,
    permits: usize,
) -> SP1WorkerBuilder<CpuSP1ProverComponents> {
    let permits = ProverSemaphore::new(permits);
    let core = CpuSP1ProverComponents::core_verifier(RiscvAir::machine());
    let compress = CpuSP1ProverComponents::compress_verifier();
    let shrink = CpuSP1ProverComponents::shrink_verifier();
    cpu_worker_builder()
        .with_core_opts(opts)
        .with_core_air_prover(
            Arc::new(CpuShardProver::new(core.shard_verifier().clone())),
            permits.clone(),
        )
        .with_compress_air_prover(
            Arc::new(CpuShardProver::new(compress.shard_verifier().clone())),
            permits.clone(),
        )
        .with_shrink_air_prover(
            Arc::new(CpuShardProver::new(shrink.shard_verifier().clone())),
            permits.clone(),
        )
        .with_wrap_air_prover(CpuWrapProverBuilder, permits)
}

impl ProveEngine {
    /// Builds the engine: half a minute and 7 GB on a CPU.
    ///
    /// # Errors
    /// The threads cannot be made, or SP1 cannot build its engine.
    pub async fn build(
        opts: SP1CoreOpts,
        permits: usize,
        artifacts: Artifacts,
        client: Client,
    ) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("prove")
            .enable_all()
            .build()?;
        // It lives as long as the process does: SP1's pipelines have no end.
        let runtime = Box::leak(Box::new(runtime)).handle().clone();
        let builder = prover_builder(opts, permits)
            .with_artifact_client(artifacts)
            .with_worker_client(client);
        let prover = runtime.spawn(builder.build()).await??;
        Ok(Self { prover, runtime })
    }

    /// Runs `work` on the engine's threads. A panic of it is one of the caller's.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Prover) -> BoxFuture<'static, T>,
    ) -> T {
        match self.runtime.spawn(work(self.prover.clone())).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
