//! What the design promises about time, and the room that a loaded machine gets.
//!
//! Only what tells two causes apart is asserted: what begins before a limit could have passed was not caused by that limit, and what has to wait for a
//! limit does not begin before it. How fast something is, is for the benchmarks.

use std::ops::Range;
use std::time::Duration;

use crate::world::World;

/// How long a worker may be silent before its leaf tasks go elsewhere.
pub const LEAF_LIVENESS: Duration = Duration::from_secs(8);
/// How long it may be silent before its Controller and CoreExecute go elsewhere.
pub const ROOT_LIVENESS: Duration = Duration::from_secs(30);
/// Time between two beats of a worker: its last word may be as old when it falls silent.
pub const BEAT: Duration = Duration::from_secs(2);
/// How long a process that runs Controller or CoreExecute may be without a stream, where nothing else is known of it.
pub const ROOT_BREAK_GRACE: Duration = Duration::from_secs(4);
/// How long a Lease holds after its last renewal.
pub const LEASE: Duration = Duration::from_secs(3);
/// How long a worker may go on with what it was told to stop before its pod is replaced.
pub const RECYCLE_GRACE: Duration = Duration::from_secs(5);
/// Wait before the first retry of a task that failed.
pub const BACKOFF: Duration = Duration::from_secs(1);
/// How long the operator's pod may take to end: terminationGracePeriodSeconds of config/manager.
pub const OPERATOR_GRACE: Duration = Duration::from_secs(30);
/// The same of config/store.
pub const STORE_GRACE: Duration = Duration::from_secs(10);

/// What a loaded machine may add to a limit.
const LOAD: Duration = Duration::from_secs(12);

/// At once, as far as a loaded machine goes, and before any silence, or a stream that is not back, could have been the cause.
pub const AT_ONCE: Range<Duration> = Duration::ZERO..ROOT_BREAK_GRACE;

/// Not before a worker has been silent for its leaf tasks to go elsewhere, and not long after that.
pub const SILENCE: Range<Duration> = silent(LEAF_LIVENESS);
/// The same for its Controller or CoreExecute.
pub const ROOT_SILENCE: Range<Duration> = silent(ROOT_LIVENESS);

/// A worker's last word may be a beat old, and on a loaded machine a second more.
const fn silent(limit: Duration) -> Range<Duration> {
    let last_word = BEAT.saturating_add(Duration::from_secs(1));
    limit.saturating_sub(last_word)..limit.saturating_add(LOAD)
}

/// Not before `limit`, and not long after it.
pub fn after(limit: Duration) -> Range<Duration> {
    limit..limit + LOAD
}

impl World {
    /// Asserts how long after the last fault something came, at `ms` (milliseconds since 1970).
    pub fn came(&self, what: &str, ms: i64, bounds: &Range<Duration>) {
        let took = self.since_fault(ms);
        assert!(
            bounds.contains(&took),
            "{what} after {took:?}: {bounds:?} is promised"
        );
    }
}

/// Milliseconds since 1970.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
