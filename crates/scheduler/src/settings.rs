//! What can be set.

use crate::Millis;

/// The scheduler's settings; [`Settings::default`] is what a cluster runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long tasks that come later in order may be given room that a larger task could not use, before a worker is kept for the larger one.
    pub patience: Millis,
    /// A proof whose slack is no more than this is urgent: it goes before what shares fairly. Large enough that the estimate of its remaining work may be wrong by as
    /// much; small enough that a far deadline is no way to the head of the queue.
    pub urgent_slack: Millis,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            patience: 10_000,
            urgent_slack: 300_000,
        }
    }
}
