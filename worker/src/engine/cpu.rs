//! SP1's engine on a CPU.

use std::sync::Arc;

use sp1_core_executor::SP1CoreOpts;
use sp1_core_machine::riscv::RiscvAir;
use sp1_hypercube::prover::{CpuShardProver, ProverSemaphore};
use sp1_prover::worker::{SP1WorkerBuilder, cpu_worker_builder};
use sp1_prover::{CpuSP1ProverComponents, CpuWrapProverBuilder, SP1ProverComponents};

/// What it proves with.
pub type Components = CpuSP1ProverComponents;

/// SP1's builder with `permits` provers at once in place of its fixed four, handed to `finish`.
///
/// # Errors
/// What `finish` says.
pub async fn build<T, Built>(
    opts: SP1CoreOpts,
    permits: usize,
    finish: impl FnOnce(SP1WorkerBuilder<Components>) -> Built + Send + 'static,
) -> anyhow::Result<T>
where
    T: Send + 'static,
    Built: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let permits = ProverSemaphore::new(permits);
    let core = Components::core_verifier(RiscvAir::machine());
    let compress = Components::compress_verifier();
    let shrink = Components::shrink_verifier();
    let builder = cpu_worker_builder()
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
        .with_wrap_air_prover(CpuWrapProverBuilder, permits);
    finish(builder).await
}
