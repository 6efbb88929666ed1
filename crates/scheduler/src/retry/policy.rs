//! The bounds on retries.

use crate::Millis;

/// The bounds on retries; [`Policy::default`] is what a cluster runs with. A proof may have its own number of retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Attempts after the first that failed for reasons of their own.
    pub retries: u32,
    /// Different workers that a task may take down, or be on when they vanish, before it is taken to be the reason; workers of one node count once while there is another node.
    pub killed_workers: u32,
    /// Losses of any kind but preemption, the same worker over again and bystanders included: a bound for what the count of different workers does not see.
    pub losses: u32,
    /// Workers that may be told to go from under a task.
    pub preemptions: u32,
    /// How long the store may be away, or full, in one go.
    pub store_patience: Millis,
    /// Wait before the first repeated attempt; each further one waits twice as long.
    pub backoff: Millis,
    /// The longest such wait, before jitter.
    pub max_backoff: Millis,
    /// Chance adds at most this many percent to a wait, so that what failed together does not come back together.
    pub jitter_percent: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retries: 3,
            killed_workers: 3,
            losses: 12,
            preemptions: 30,
            store_patience: 3_600_000,
            backoff: 1_000,
            max_backoff: 60_000,
            jitter_percent: 25,
        }
    }
}
