//! The full proving engine, on a CPU.

use std::sync::Arc;

use sp1_core_executor::SP1CoreOpts;
use sp1_core_machine::riscv::RiscvAir;
use sp1_hypercube::prover::{CpuShardProver, ProverSemaphore};
use sp1_prover::worker::{SP1Worker, SP1WorkerBuilder, cpu_worker_builder};
use sp1_prover::{CpuSP1ProverComponents, CpuWrapProverBuilder, SP1ProverComponents};

use crate::artifacts::Artifacts;
use crate::coordinator::Client;

/// The engine over our clients.
pub type Prover = SP1Worker<Artifacts, Client, CpuSP1ProverComponents>;

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

/// Builds the engine: half a minute and 7 GB on a CPU.
pub async fn build_prover(
    opts: SP1CoreOpts,
    permits: usize,
    artifacts: Artifacts,
    client: Client,
) -> anyhow::Result<Prover> {
    prover_builder(opts, permits)
        .with_artifact_client(artifacts)
        .with_worker_client(client)
        .build()
        .await
}
