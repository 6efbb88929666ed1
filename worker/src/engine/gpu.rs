//! SP1's engine on a GPU: one device a process, the first that the driver shows.

use anyhow::Context as _;
use sp1_core_executor::SP1CoreOpts;
use sp1_gpu_prover::{SP1CudaProverComponents, cuda_worker_builder, local_gpu_opts};
use sp1_prover::worker::SP1WorkerBuilder;

/// What it proves with.
pub type Components = SP1CudaProverComponents;

/// SP1's builder, handed to `finish`. All of it lives in a CUDA task scope, which stays as long as the process does: what is built
/// must not outlive it. On a GPU one prover works at a time, whatever `permits` says; more tasks at once prepare the next meanwhile.
///
/// # Errors
/// What `finish` says, or the device failed meanwhile.
pub async fn build<T, Built>(
    opts: SP1CoreOpts,
    _permits: usize,
    finish: impl FnOnce(SP1WorkerBuilder<Components>) -> Built + Send + 'static,
) -> anyhow::Result<T>
where
    T: Send + 'static,
    Built: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let (built, result) = tokio::sync::oneshot::channel();
    // Dropping the handle does not end the scope.
    let _scope = sp1_gpu_cudart::spawn(move |scope| async move {
        let builder = cuda_worker_builder(scope).await;
        let opts = SP1CoreOpts {
            memory_limit: opts.memory_limit,
            ..local_gpu_opts()
        };
        let _ = built.send(finish(builder.with_core_opts(opts)).await);
        std::future::pending::<()>().await;
    });
    result
        .await
        .context("the GPU's prover panicked at its start")?
}
