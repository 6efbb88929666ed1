//! Waiting for events, with a generous bound.

use std::time::{Duration, Instant};

/// Longest wait for anything that has no bound of its own. No test asserts on speed: this only ends one that hangs.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until `look` finds something; panics when `limit` has passed.
pub async fn within<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    what: &str,
    look: impl Fn() -> F,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            start.elapsed() < limit,
            "waited {limit:?} for {what} in vain"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// [`within`] the usual patience.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    within(PATIENCE, what, look).await
}
