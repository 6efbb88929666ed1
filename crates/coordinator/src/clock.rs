//! The one place where the time comes from.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::Millis;
use crate::config::millis;

/// Unix time that never goes back: the wall clock at the start, and what has passed since.
pub(crate) struct Clock {
    start: Instant,
    wall: Millis,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            start: Instant::now(),
            wall: wall.map_or(0, millis),
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.wall + millis(self.start.elapsed())
    }
}
