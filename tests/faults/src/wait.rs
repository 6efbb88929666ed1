//! Waiting for events, with a generous bound.

use std::time::{Duration, Instant};

/// Longest wait for anything that has no bound of its own: it only ends what hangs. What the design promises about time is in [`crate::promises`].
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until `look` finds something; panics when `limit` has passed.
pub async fn within<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    what: &str,
    look: impl Fn() -> F,
) -> T {
    let found = search(limit, look).await;
    found.unwrap_or_else(|| panic!("waited {limit:?} for {what} in vain"))
}

/// Waits until `look` finds something; `None` when `limit` has passed.
pub async fn search<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    look: impl Fn() -> F,
) -> Option<T> {
    let start = Instant::now();
    loop {
        let found = look().await;
        if found.is_some() || start.elapsed() >= limit {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until `look` finds nothing any more. Returns what it still finds when `limit` has passed.
pub async fn gone<T, F: Future<Output = Vec<T>>>(limit: Duration, look: impl Fn() -> F) -> Vec<T> {
    let start = Instant::now();
    loop {
        let left = look().await;
        if left.is_empty() || start.elapsed() >= limit {
            return left;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// [`within`] the usual patience.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    within(PATIENCE, what, look).await
}
