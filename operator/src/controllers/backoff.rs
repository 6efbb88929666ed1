//! Exponential back-off for each object, with jitter: kube has none of its own.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// First wait.
const BASE: Duration = Duration::from_millis(500);
/// Longest wait.
const MAX: Duration = Duration::from_secs(20);
/// Share of the wait that is left to chance.
const JITTER: f64 = 0.2;

/// Failures in a row, by object.
#[derive(Debug)]
pub struct Backoffs<K> {
    failures: Mutex<HashMap<K, u32>>,
}

impl<K> Default for Backoffs<K> {
    fn default() -> Self {
        Self {
            failures: Mutex::default(),
        }
    }
}

impl<K: Hash + Eq> Backoffs<K> {
    /// One more failure; returns how long to wait. `random` is from 0 to 1.
    pub fn failed(&self, key: K, random: f64) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(key).or_insert(0);
        let wait = delay(*count, random);
        *count = count.saturating_add(1);
        wait
    }

    /// A success, or the object is gone.
    pub fn clear(&self, key: &K) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

/// Wait after `failures` failures before this one.
fn delay(failures: u32, random: f64) -> Duration {
    let wait = (BASE * (1 << failures.min(10))).min(MAX);
    wait.mul_f64(1.0 - JITTER * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_maximum_and_starts_over() {
        let backoffs = Backoffs::default();
        let waits: Vec<_> = (0..8)
            .map(|_| backoffs.failed("a", 0.0).as_millis())
            .collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 20000, 20000]);
        assert_eq!(backoffs.failed("b", 0.0), BASE);
        backoffs.clear(&"a");
        assert_eq!(backoffs.failed("a", 0.0), BASE);
    }

    #[test]
    fn jitter_only_shortens() {
        assert_eq!(delay(0, 1.0), Duration::from_millis(400));
        assert_eq!(delay(31, 0.5), Duration::from_secs(18));
    }
}
