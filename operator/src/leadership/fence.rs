//! Whether this replica's Lease still holds by the clock. What a leader alone may write asks before it writes: a process that was stopped
//! for a while finds out here, before anybody tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Cheap to clone. It does not hold before the first term.
#[derive(Debug, Clone)]
pub struct Fence {
    clock: fn() -> Duration,
    /// Milliseconds of that clock until which the Lease holds.
    until: Arc<AtomicU64>,
    /// Of the Lease that holds, or held last.
    epoch: Arc<AtomicU64>,
}

impl Default for Fence {
    fn default() -> Self {
        Self {
            clock: since_boot,
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
        (self.clock)()
    }

    /// The Lease holds until then; `None` when this replica does not lead.
    pub(super) fn set(&self, until: Option<Duration>) {
        let millis = until.map_or(0, |until| until.as_millis());
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.until.store(millis, Ordering::Release);
    }
}

/// Time since the machine was started, during which it may have slept: others count that time, too.
fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    static NOW: AtomicU64 = AtomicU64::new(0);

    #[test]
    fn it_holds_until_the_lease_has_run_out_and_again_when_it_is_renewed() {
        let fence = Fence {
            clock: || Duration::from_millis(NOW.load(Ordering::Relaxed)),
            ..Fence::default()
        };
        assert!(!fence.holds());
        fence.set(Some(Duration::from_secs(3)));
        assert!(fence.clone().holds());
        NOW.store(3_000, Ordering::Relaxed);
        assert!(!fence.holds());
        fence.set(Some(fence.now() + Duration::from_secs(3)));
        assert!(fence.holds());
        fence.set(None);
        assert!(!fence.holds());
    }

    #[test]
    fn its_own_clock_goes() {
        let (first, then) = (since_boot(), since_boot());
        assert!(first > Duration::ZERO && then >= first);
    }
}
