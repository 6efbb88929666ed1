//! Repeating requests that failed for reasons that pass.

use std::time::Duration;

use tokio::time::Instant;

use super::{Fault, PART};
use crate::random::random;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// How requests are repeated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retry {
    /// How long after its first failure a request is given up.
    pub(super) total: Duration,
    /// How long the store may be silent: it has nothing else to do for the request.
    pub(super) answer: Duration,
    /// How long one attempt may take that carries [`PART`] bytes; fewer get less, as far as [`Retry::answer`].
    pub(super) attempt: Duration,
}

impl Retry {
    /// Runs `attempt`, which carries so many `bytes`, until it succeeds, fails for good, or has failed for too long.
    pub(super) async fn run<T, A>(
        &self,
        what: &str,
        bytes: usize,
        attempt: impl Fn() -> A,
    ) -> Result<T, Fault>
    where
        A: Future<Output = Result<T, Fault>>,
    {
        self.repeat(what, || self.limit(what, bytes, attempt()))
            .await
    }

    /// The same for attempts that wait for more than the store, which is no fault of the store's: they put [`Retry::limit`] on their
    /// parts themselves.
    pub(super) async fn repeat<T, A>(&self, what: &str, attempt: impl Fn() -> A) -> Result<T, Fault>
    where
        A: Future<Output = Result<T, Fault>>,
    {
        let mut give_up = None;
        let mut failures = 0;
        loop {
            let fault = match attempt().await {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            if !fault.is_transient() {
                return Err(fault);
            }
            let now = Instant::now();
            let give_up = *give_up.get_or_insert(now + self.total);
            let delay = delay(failures, random());
            if now + delay >= give_up {
                return Err(fault);
            }
            failures += 1;
            tracing::debug!(
                what,
                failures,
                ?delay,
                ?fault,
                "store request failed, will repeat"
            );
            tokio::time::sleep(delay).await;
        }
    }

    /// Gives `part` the time of one attempt that carries so many `bytes`.
    pub(super) async fn limit<T>(
        &self,
        what: &str,
        bytes: usize,
        part: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let time = self.time(bytes);
        match tokio::time::timeout(time, part).await {
            Ok(result) => result,
            Err(_) => Err(Fault::unavailable(format!(
                "{what} took more than {time:.0?}"
            ))),
        }
    }

    fn time(&self, bytes: usize) -> Duration {
        let part = bytes as f64 / PART as f64;
        self.answer + self.attempt.saturating_sub(self.answer).mul_f64(part)
    }
}

/// The pause after this many earlier failures: doubling up to a limit, half of it fixed and half of it random, so that
/// a thousand workers do not come back to a restarted store in step.
fn delay(failures: u32, random: u64) -> Duration {
    let full = FIRST_DELAY
        .saturating_mul(1 << failures.min(10))
        .min(LONGEST_DELAY);
    let half = full / 2;
    half + half.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn delays_stay_between_half_and_all_of_the_step(failures in 0u32..1000, random: u64) {
            let delay = delay(failures, random);
            prop_assert!(delay >= FIRST_DELAY / 2 && delay <= LONGEST_DELAY);
            prop_assert!(failures < 7 || delay >= LONGEST_DELAY / 2);
        }
    }

    const QUICK: Retry = Retry {
        total: Duration::from_millis(700),
        answer: Duration::from_millis(100),
        attempt: Duration::from_millis(200),
    };

    #[tokio::test(start_paused = true)]
    async fn gives_up_after_the_total() {
        let start = Instant::now();
        let tries = Cell::new(0);
        let result: Result<(), _> = QUICK
            .run("Test", 0, || {
                tries.set(tries.get() + 1);
                async { Err(Fault::unavailable("away")) }
            })
            .await;
        assert!(matches!(result.unwrap_err(), Fault::Away(_)));
        // Pauses of 50 to 100, 100 to 200, 200 to 400, then 400 to 800 ms, which may be too long.
        assert!((3..=5).contains(&tries.get()), "{} tries", tries.get());
        assert!(start.elapsed() >= Duration::from_millis(150));
    }

    #[tokio::test]
    async fn does_not_repeat_what_will_not_pass() {
        let tries = Cell::new(0);
        let result: Result<(), _> = QUICK
            .run("Test", 0, || {
                tries.set(tries.get() + 1);
                async { Err(Fault::Changed) }
            })
            .await;
        assert!(matches!(result.unwrap_err(), Fault::Changed));
        assert_eq!(tries.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_is_repeated() {
        let tries = Cell::new(0);
        let result = QUICK
            .run("Test", 0, || {
                tries.set(tries.get() + 1);
                let hangs = tries.get() == 1;
                async move {
                    if hangs {
                        std::future::pending::<()>().await;
                    }
                    Ok(7)
                }
            })
            .await;
        assert_eq!(result.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_outside_the_limit_takes_its_time() {
        let tries = Cell::new(0);
        let result = QUICK
            .repeat("Test", || {
                tries.set(tries.get() + 1);
                async {
                    tokio::time::sleep(10 * QUICK.attempt).await;
                    QUICK.limit("Test", 0, async { Ok(7) }).await
                }
            })
            .await;
        assert_eq!((result.unwrap(), tries.get()), (7, 1));
        let hangs = std::future::pending::<Result<(), Fault>>();
        let fault = QUICK.limit("Test", 0, hangs).await.unwrap_err();
        assert!(matches!(fault, Fault::Away(_)));
    }

    #[test]
    fn what_carries_more_may_take_longer() {
        let seconds = Duration::from_secs;
        let retry = Retry {
            total: seconds(0),
            answer: seconds(10),
            attempt: seconds(120),
        };
        assert_eq!(retry.time(0), seconds(10));
        assert_eq!(retry.time(PART / 2), seconds(65));
        assert_eq!(retry.time(PART), seconds(120));
        assert_eq!(retry.time(2 * PART), seconds(230));
    }
}
