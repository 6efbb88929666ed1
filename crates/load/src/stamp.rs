//! The time at which a task was due, as it travels with the task.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

static ORIGIN: OnceLock<Instant> = OnceLock::new();

fn origin() -> Instant {
    *ORIGIN.get_or_init(Instant::now)
}

/// The text that a task carries; `None` for one that does not count.
pub fn write(due: Option<Instant>) -> String {
    let due = due.map(|due| {
        due.saturating_duration_since(origin())
            .as_nanos()
            .to_string()
    });
    due.unwrap_or_default()
}

/// The time since a task was due; `None` if it does not count.
pub fn age(text: &str) -> Option<Duration> {
    let due = Duration::from_nanos(text.parse().ok()?);
    Some(origin().elapsed().saturating_sub(due))
}

/// Fixes the origin: stamps of instants before it would be too young.
pub fn begin() {
    origin();
}
