//! The long-lived parts of the process.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Runs parts, and waits for their end. One that panics ends the process in an orderly way: another replica takes over, and has them all. Without that a
/// leader would go on with a part missing.
#[derive(Debug, Clone)]
pub struct Supervisor {
    tracker: TaskTracker,
    shutdown: CancellationToken,
    panicked: Arc<AtomicBool>,
}

impl Supervisor {
    /// Of no parts yet; `shutdown` is cancelled when one panics.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self {
            tracker: TaskTracker::new(),
            shutdown,
            panicked: Arc::default(),
        }
    }

    /// Tells parts to end.
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Runs `part`, which ends by itself after the shutdown. Needs a tokio runtime.
    pub fn spawn(&self, part: impl Future<Output = ()> + Send + 'static) {
        let (shutdown, panicked) = (self.shutdown.clone(), self.panicked.clone());
        self.tracker.spawn(async move {
            if AssertUnwindSafe(part).catch_unwind().await.is_err() {
                tracing::error!("a part of the operator panicked: the process ends");
                panicked.store(true, Ordering::Relaxed);
                shutdown.cancel();
            }
        });
    }

    /// Runs `part` until the shutdown.
    pub fn spawn_until_shutdown(&self, part: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.shutdown.clone();
        self.spawn(async move {
            tokio::select! {
                () = part => {}
                () = shutdown.cancelled() => {}
            }
        });
    }

    /// Whether a part panicked.
    pub fn panicked(&self) -> bool {
        self.panicked.load(Ordering::Relaxed)
    }

    /// Waits, after the shutdown, until all parts have ended, for at most `longest`; says whether they have.
    pub async fn ended(self, longest: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(longest, self.tracker.wait())
            .await
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_ends_the_others() {
        let parts = Supervisor::new(CancellationToken::new());
        parts.spawn_until_shutdown(std::future::pending());
        parts.spawn(async {});
        tokio::task::yield_now().await;
        assert!(!parts.shutdown().is_cancelled(), "an end is none");
        parts.spawn(async { panic!("on purpose") });
        parts.shutdown().cancelled().await;
        assert!(parts.panicked());
        assert!(parts.ended(Duration::from_secs(10)).await);
    }
}
