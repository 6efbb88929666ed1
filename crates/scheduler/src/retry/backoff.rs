//! How long to wait before another attempt.

use super::Policy;
use crate::Millis;

impl Policy {
    /// The wait before attempt number `n` in a row after one that failed, counted from 1; none for 0. `random` is any number; all bits count.
    pub fn wait(&self, n: u32, random: u64) -> Millis {
        if n == 0 {
            return 0;
        }
        let factor = 1u64.checked_shl(n - 1).unwrap_or(u64::MAX);
        let wait = self.backoff.saturating_mul(factor).min(self.max_backoff);
        wait.saturating_add(self.jitter(wait, random))
    }

    fn jitter(&self, wait: Millis, random: u64) -> Millis {
        let most = u128::from(wait) * u128::from(self.jitter_percent) / 100;
        let part = ((most + 1) * u128::from(random)) >> u64::BITS;
        Millis::try_from(part).unwrap_or(Millis::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let policy = Policy::default();
        let waits: Vec<_> = [0, 1, 2, 3, 7, 40, u32::MAX]
            .into_iter()
            .map(|n| policy.wait(n, 0))
            .collect();
        assert_eq!(waits, [0, 1_000, 2_000, 4_000, 60_000, 60_000, 60_000]);
    }

    #[test]
    fn jitter_is_bounded() {
        let policy = Policy::default();
        assert_eq!(policy.wait(1, u64::MAX), 1_250);
        assert_eq!(policy.wait(1, u64::MAX / 2), 1_125);
        assert_eq!(policy.wait(40, u64::MAX), 75_000);
    }
}
