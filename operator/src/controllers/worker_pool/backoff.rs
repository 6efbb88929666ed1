//! How long a pool waits before it replaces a worker that failed. Pure.

use std::time::Duration;

/// Wait after the second failure in a row; it doubles with each one after.
const BASE: Duration = Duration::from_secs(1);
/// Longest wait.
const MAX: Duration = Duration::from_secs(60);
/// Time without a failure after which a pool starts over.
const FORGET: Duration = Duration::from_secs(300);

/// Failures of a pool's workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    last: Option<i64>,
}

impl Backoff {
    /// A worker failed at `now` (milliseconds).
    pub fn failed(&mut self, now: i64) {
        self.forget(now);
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
    }

    /// What is left to wait at `now` (milliseconds): the first failed worker is replaced at once.
    pub fn wait(&mut self, now: i64) -> Duration {
        self.forget(now);
        let Some(last) = self.last else {
            return Duration::ZERO;
        };
        let doublings = self.failures.saturating_sub(2).min(16);
        let delay = if self.failures < 2 {
            Duration::ZERO
        } else {
            (BASE * (1 << doublings)).min(MAX)
        };
        delay.saturating_sub(since(last, now))
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    fn forget(&mut self, now: i64) {
        if self.last.is_some_and(|last| since(last, now) >= FORGET) {
            *self = Self::default();
        }
    }
}

fn since(then: i64, now: i64) -> Duration {
    Duration::from_millis(u64::try_from(now.saturating_sub(then)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_free_then_it_doubles_up_to_a_minute() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.wait(0), Duration::ZERO);
        for expected in [0, 1, 2, 4, 8, 16, 32, 60, 60] {
            backoff.failed(1000);
            assert_eq!(backoff.wait(1000), Duration::from_secs(expected));
        }
        assert_eq!(backoff.wait(31_000), Duration::from_secs(30));
    }

    #[test]
    fn five_quiet_minutes_start_over() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.failed(0);
        }
        assert_eq!(backoff.wait(300_000), Duration::ZERO);
        assert_eq!(backoff.failures(), 0);
    }
}
