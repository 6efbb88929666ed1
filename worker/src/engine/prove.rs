//! The full proving engine.

use futures::future::BoxFuture;
use sp1_prover::worker::SP1Worker;
use tokio::runtime::Handle;

use super::device::{Components, build};
use super::{Build, Steps};
use crate::artifacts::Artifacts;
use crate::coordinator::Client;

/// The engine over our clients.
pub type Prover = SP1Worker<Artifacts, Client, Components>;

/// The engine, on threads of its own: building it and proving keep a thread busy for seconds, while the process must go
/// on to answer the coordinator, to execute and to hear SIGTERM.
pub struct ProveEngine {
    prover: Prover,
    runtime: Handle,
}

impl ProveEngine {
    /// Builds the engine: about a minute and 7 GB on a CPU of two cores. Tells how long each step took.
    ///
    /// # Errors
    /// The threads cannot be made, SP1 cannot build its engine, or the device computes wrongly.
    pub async fn build(
        how: Build,
        artifacts: Artifacts,
        client: Client,
    ) -> anyhow::Result<(Self, Steps)> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("prove")
            .enable_all()
            .build()?;
        // It lives as long as the process does: SP1's pipelines have no end.
        let runtime = Box::leak(Box::new(runtime)).handle().clone();
        let built = build(how, |builder| async move {
            let builder = builder.with_artifact_client(artifacts);
            builder.with_worker_client(client).build().await
        });
        let (prover, steps) = runtime.spawn(built).await??;
        Ok((Self { prover, runtime }, steps))
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
