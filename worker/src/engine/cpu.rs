//! SP1's engine on a CPU.

use std::sync::Arc;

use sp1_core_executor::SP1CoreOpts;
use sp1_core_machine::riscv::RiscvAir;
use sp1_hypercube::prover::{CpuShardProver, ProverSemaphore};
use sp1_prover::worker::{SP1WorkerBuilder, cpu_worker_builder};
use sp1_prover::{CpuSP1ProverComponents, CpuWrapProverBuilder, SP1ProverComponents};

use super::{Build, Steps, known_answer, timed};

/// What it proves with.
pub type Components = CpuSP1ProverComponents;

/// The compute capabilities that it has code for: it has none.
pub(super) const ARCHS: Option<&str> = None;

/// The largest shards that the prover has room for, in trace elements: a CPU proves any, unless its environment says otherwise.
pub(super) fn shard_elements() -> u64 {
    SP1CoreOpts::default().sharding_threshold.element_threshold
}

/// Page-locked memory of the provers, in bytes: there is none.
pub(super) const fn pinned_bytes() -> u64 {
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
    let permits = ProverSemaphore::new(how.permits);
    let core = core_prover();
    if how.known_answer {
        let answer = known_answer::check::<Components>(&core, permits.clone(), opts.clone());
        timed(&mut steps.known_answer, answer).await?;
    }
    let builder = timed(&mut steps.provers, async {
        with_provers(core, &permits).with_core_opts(opts)
    })
    .await;
    let built = timed(&mut steps.engine, finish(builder)).await?;
    Ok((built, steps))
}

fn with_provers(
    core: Arc<<Components as SP1ProverComponents>::CoreProver>,
    permits: &ProverSemaphore,
) -> SP1WorkerBuilder<Components> {
    let compress = Components::compress_verifier();
    let shrink = Components::shrink_verifier();
    cpu_worker_builder()
        .with_core_air_prover(core, permits.clone())
        .with_compress_air_prover(
            Arc::new(CpuShardProver::new(compress.shard_verifier().clone())),
            permits.clone(),
        )
        .with_shrink_air_prover(
            Arc::new(CpuShardProver::new(shrink.shard_verifier().clone())),
            permits.clone(),
        )
        .with_wrap_air_prover(CpuWrapProverBuilder, permits.clone())
}
