//! The full proving engine.

use std::mem::ManuallyDrop;

use futures::future::BoxFuture;
use sp1_prover::worker::SP1Worker;

use super::device::{Components, build};
use super::threads::Threads;
use super::{Build, Steps};
use crate::artifacts::Artifacts;
use crate::coordinator::Client;

/// The engine over our clients.
pub type Prover = SP1Worker<Artifacts, Client, Components>;

/// The engine, on threads of its own.
pub struct ProveEngine {
    /// Stays until the process ends: SP1 panics where memory cannot be given back to a device, and one that is lost takes nothing back.
    prover: ManuallyDrop<Prover>,
    threads: Threads,
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
        let threads = Threads::new("prove", None)?;
        let built = build(how, |builder| async move {
            let builder = builder.with_artifact_client(artifacts);
            builder.with_worker_client(client).build().await
        });
        let (prover, steps) = threads.run(built).await?;
        let prover = ManuallyDrop::new(prover);
        Ok((Self { prover, threads }, steps))
    }

    /// Runs `work` on the engine's threads. A panic of it is one of the caller's.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Prover) -> BoxFuture<'static, T>,
    ) -> T {
        self.threads.run(work(Prover::clone(&self.prover))).await
    }
}
