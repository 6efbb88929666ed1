//! SP1's engine on a GPU: one device a process, the first that the driver shows.

use anyhow::bail;
use sp1_core_executor::SP1CoreOpts;
use sp1_core_machine::riscv::RiscvAir;
use sp1_gpu_cudart::{SpawnHandle, TaskScope};
use sp1_gpu_prover::{
    RECURSION_TRACE_ALLOCATION, SHRINK_TRACE_ALLOCATION, SP1CudaProverComponents,
    WRAP_TRACE_ALLOCATION, core_prover_and_verifier, cuda_worker_builder, local_gpu_opts,
};
use sp1_hypercube::prover::ProverSemaphore;
use sp1_primitives::SP1Field;
use sp1_prover::CORE_LOG_STACKING_HEIGHT;
use sp1_prover::worker::SP1WorkerBuilder;
use tokio::sync::oneshot;

use super::known_answer::{self, KnownAnswerError};
use super::{Build, Steps, timed};
use crate::failure::lacks_memory;

/// What it proves with.
pub type Components = SP1CudaProverComponents;

/// The compute capabilities that SP1's kernels were compiled for, as its build was told: `None` where it chose itself.
pub(super) const ARCHS: Option<&str> = option_env!("CUDA_ARCHS");

/// The largest shards that the prover has room for, in trace elements: SP1 decides by the GPU's memory.
pub(super) fn shard_elements() -> u64 {
    local_gpu_opts().sharding_threshold.element_threshold
}

/// Page-locked memory of SP1's four provers, in bytes: four trace buffers each, made when they are built.
pub(super) fn pinned_bytes() -> u64 {
    let core = shard_elements() + (1 << CORE_LOG_STACKING_HEIGHT);
    let others = [
        RECURSION_TRACE_ALLOCATION,
        SHRINK_TRACE_ALLOCATION,
        WRAP_TRACE_ALLOCATION,
    ];
    let elements = core + others.into_iter().sum::<usize>() as u64;
    4 * elements * size_of::<SP1Field>() as u64
}

/// The known answer, by a prover of its own.
///
/// # Errors
/// It is wrong, or the device failed meanwhile.
pub async fn check() -> anyhow::Result<()> {
    let (checked, result) = oneshot::channel();
    let scope = sp1_gpu_cudart::spawn(move |scope| async move {
        let answer = answer(scope, local_gpu_opts()).await;
        let _ = checked.send(answer.map_err(Into::into));
    });
    out_of(scope, result).await
}

/// SP1's builder, handed to `finish`. All of it lives in a CUDA task scope, which stays as long as the process does: what is built
/// must not outlive it. On a GPU one prover works at a time, whatever `how.permits` says; more tasks at once prepare the next meanwhile.
///
/// # Errors
/// [`KnownAnswerError`](super::known_answer::KnownAnswerError), what `finish` says, or the device failed meanwhile.
pub async fn build<T, Built>(
    how: Build,
    finish: impl FnOnce(SP1WorkerBuilder<Components>) -> Built + Send + 'static,
) -> anyhow::Result<(T, Steps)>
where
    T: Send + 'static,
    Built: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let (built, result) = oneshot::channel();
    let scope = sp1_gpu_cudart::spawn(move |scope| async move {
        let opts = SP1CoreOpts {
            memory_limit: how.opts.memory_limit,
            ..local_gpu_opts()
        };
        let _ = built.send(within(scope, opts, how, finish).await);
        std::future::pending::<()>().await;
    });
    out_of(scope, result).await
}

/// What was sent out of a scope, which goes on. It sends nothing only where SP1 panics in it.
async fn out_of<T>(
    scope: SpawnHandle<()>,
    result: oneshot::Receiver<anyhow::Result<T>>,
) -> anyhow::Result<T> {
    if let Ok(result) = result.await {
        return result;
    }
    let panic = scope.await.err().map(|error| error.to_string());
    let panic = panic.unwrap_or_else(|| "it ended without a word".to_owned());
    // Not how much that would be: SP1 asks the device for it, which may be what fails.
    bail!(match lacks_memory(&panic) {
        true => format!(
            "SP1 gets no memory to start with, of the GPU's or page-locked of the machine's: {panic}"
        ),
        false => format!("SP1 does not start on the GPU: {panic}"),
    })
}

/// The part that is done in the scope.
async fn within<T, Built>(
    scope: TaskScope,
    opts: SP1CoreOpts,
    how: Build,
    finish: impl FnOnce(SP1WorkerBuilder<Components>) -> Built,
) -> anyhow::Result<(T, Steps)>
where
    Built: Future<Output = anyhow::Result<T>>,
{
    let mut steps = Steps::default();
    if how.known_answer {
        let answer = answer(scope.clone(), opts.clone());
        timed(&mut steps.known_answer, answer).await?;
    }
    let builder = timed(&mut steps.provers, cuda_worker_builder(scope)).await;
    let builder = builder.with_core_opts(opts).with_config(|config| {
        let workers = &mut config.prover_config.core_prover_config.num_core_workers;
        *workers = how.permits.max(*workers);
    });
    let built = finish(builder);
    let built = timed(&mut steps.engine, built).await?;
    Ok((built, steps))
}

/// With a prover of its own, which gives its memory back: SP1's builder keeps its own to itself.
async fn answer(scope: TaskScope, opts: SP1CoreOpts) -> Result<(), KnownAnswerError> {
    let (prover, _) = core_prover_and_verifier(scope, RiscvAir::machine()).await;
    known_answer::check::<Components>(&prover, ProverSemaphore::new(1), opts).await
}
