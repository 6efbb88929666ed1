//! Pauses between attempts to connect.

use std::time::Duration;

/// Pauses that double from the first to the longest.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    pause: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            pause: first,
        }
    }

    /// The next pause: between half of what it would be and all of it, by `random`, so that workers do not come all at once.
    pub(super) fn next(&mut self, random: u32) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(self.longest);
        pause / 2 + (pause / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// It went well: the next pause is the first again.
    pub(super) fn reset(&mut self) {
        self.pause = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_vary() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, second * 3);
        assert_eq!(backoff.next(u32::MAX), second);
        assert_eq!(backoff.next(0), second);
        assert_eq!(backoff.next(u32::MAX), second * 3);
        assert_eq!(backoff.next(u32::MAX), second * 3);
        backoff.reset();
        assert_eq!(backoff.next(0), second / 2);
    }
}
