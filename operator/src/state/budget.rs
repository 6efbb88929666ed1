//! How fast the operator writes to the API server what it could also do without: tasks and progress.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// A number of writes a second for the whole operator. What ends a proof, and what a user waits for, does not count.
pub(super) struct Budget {
    limiter: DefaultDirectRateLimiter,
}

impl Budget {
    /// A budget of `per_second` writes, as many of them at once.
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        Self {
            limiter: RateLimiter::direct(Quota::per_second(per_second)),
        }
    }

    /// Waits until a write is due, and counts it.
    pub(super) async fn take(&self) {
        self.limiter.until_ready().await;
    }
}
