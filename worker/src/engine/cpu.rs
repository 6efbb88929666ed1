//! SP1's engine on a CPU.

use std::sync::Arc;
use std::time::Instant;

use sp1_core_executor::SP1CoreOpts;
use sp1_core_machine::riscv::RiscvAir;
use sp1_hypercube::prover::{CpuShardProver, ProverSemaphore};
use sp1_prover::worker::{SP1WorkerBuilder, cpu_worker_builder};
use sp1_prover::{CpuSP1ProverComponents, CpuWrapProverBuilder, SP1ProverComponents};

use super::{Build, Steps, known_answer};

/// What it proves with.
pub type Components = CpuSP1ProverComponents;

/// The largest shards that the prover has room for, in trace elements: a CPU proves any, unless its environment says otherwise.
pub fn shard_elements() -> u64 {
    SP1CoreOpts::default().sharding_threshold.element_threshold
}

/// Page-locked memory of the provers, in bytes: there is none.
pub const fn pinned_bytes() -> u64 {
    0
}

fn core_prover() -> Arc<<Components as SP1ProverComponents>::CoreProver> {
    let verifier = Components::core_verifier(RiscvAir::machine());
    Arc::new(CpuShardProver::new(verifier.shard_verifier().clone()))
}

/// The known answer, by a prover of its own.
///
/// # Errors
/// It is wrong.
pub async fn check() -> anyhow::Result<()> {
    let permits = ProverSemaphore::new(1);
    known_answer::check::<Components>(&core_prover(), permits, SP1CoreOpts::default()).await?;
    Ok(())
}

/// SP1's builder with `how.permits` provers at once in place of its fixed four, handed to `finish`.
///
/// # Errors
/// [`KnownAnswerError`](super::known_answer::KnownAnswerError), what `finish` says.
pub async fn build<T, Built>(
    how: Build,
    finish: impl FnOnce(SP1WorkerBuilder<Components>) -> Built + Send + 'static,
) -> anyhow::Result<(T, Steps)>
where
    T: Send + 'static,
    Built: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let Build { opts, .. } = how;
    let mut steps = Steps::default();
    let began = Instant::now();
    let permits = ProverSemaphore::new(how.permits);
    let core = core_prover();
    if how.known_answer {
        known_answer::check::<Components>(&core, permits.clone(), opts.clone()).await?;
        steps.known_answer = began.elapsed().as_secs_f64();
    }
    let began = Instant::now();
    let compress = Components::compress_verifier();
    let shrink = Components::shrink_verifier();
    let builder = cpu_worker_builder()
        .with_core_opts(opts)
        .with_core_air_prover(core, permits.clone())
        .with_compress_air_prover(
            Arc::new(CpuShardProver::new(compress.shard_verifier().clone())),
            permits.clone(),
        )
        .with_shrink_air_prover(
            Arc::new(CpuShardProver::new(shrink.shard_verifier().clone())),
            permits.clone(),
        )
        .with_wrap_air_prover(CpuWrapProverBuilder, permits);
    steps.provers = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let built = finish(builder).await?;
    steps.engine = began.elapsed().as_secs_f64();
    Ok((built, steps))
}
