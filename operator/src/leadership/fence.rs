//! Whether this replica's Lease still holds by the clock. What a leader alone may write asks before it writes: a process that was stopped
//! for a while finds out here, before anybody tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Cheap to clone. It does not hold before the first term.
#[derive(Debug, Clone)]
pub struct Fence {
    start: Instant,
    /// Milliseconds after `start` until which the Lease holds.
    until: Arc<AtomicU64>,
    /// Of the Lease that holds, or held last.
    epoch: Arc<AtomicU64>,
}

impl Default for Fence {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            until: Arc::default(),
            epoch: Arc::default(),
        }
    }
}

impl Fence {
    /// Whether nobody else can have taken the Lease yet.
    pub fn holds(&self) -> bool {
        self.now().as_millis() < u128::from(self.until.load(Ordering::Acquire))
    }

    /// In which epoch this replica leads, or led last; 0 before the first.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// From the next [`Fence::set`] on it leads in this epoch.
    pub(super) fn begin(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Release);
    }

    /// The clock that `until` of [`Fence::set`] is on.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The Lease holds until then; `None` when this replica does not lead.
    pub(super) fn set(&self, until: Option<Duration>) {
        let millis = until.map_or(0, |until| until.as_millis());
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.until.store(millis, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_holds_until_the_lease_has_run_out_and_again_when_it_is_renewed() {
        let fence = Fence::default();
        assert!(!fence.holds());
        fence.set(Some(Duration::from_secs(3)));
        assert!(fence.clone().holds());
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(!fence.holds());
        fence.set(Some(fence.now() + Duration::from_secs(3)));
        assert!(fence.holds());
        fence.set(None);
        assert!(!fence.holds());
    }
}
