//! Threads of an engine's own: SP1 keeps a thread busy for seconds, while the process must go on to answer the coordinator, to serve its
//! readiness and to hear SIGTERM.

use std::future::Future;

use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

/// They live as long as the process does: SP1's pipelines have no end.
pub(super) struct Threads(Handle);

impl Threads {
    /// `count` threads, or as many as there are cores.
    ///
    /// # Errors
    /// The threads cannot be made.
    pub(super) fn new(name: &str, count: Option<usize>) -> std::io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if let Some(count) = count {
            builder.worker_threads(count);
        }
        let runtime = builder.thread_name(name).enable_all().build()?;
        Ok(Self(Box::leak(Box::new(runtime)).handle().clone()))
    }

    /// Runs `work` there, to its end even if nobody waits for it any more. A panic of it is one of the caller's.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        whole(self.0.spawn(work).await)
    }

    /// The same, but the work is dropped with the future.
    pub(super) async fn run_while_awaited<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        whole(AbortOnDropHandle::new(self.0.spawn(work)).await)
    }
}

fn whole<T>(joined: Result<T, tokio::task::JoinError>) -> T {
    match joined {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
