//! The one place where the time comes from.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::Millis;
use crate::config::millis;

/// Unix time that never goes back: the wall clock when it was first asked, and what has passed since. All of a process have the same.
///
/// It does not follow a wall clock that is set, so that nothing times out for that. What people or other processes read is
/// [translated](Self::wall).
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    wall: Millis,
}

impl Clock {
    /// That of this process.
    pub fn of_process() -> Self {
        static CLOCK: LazyLock<Clock> = LazyLock::new(|| Clock {
            start: Instant::now(),
            wall: wall(),
        });
        *CLOCK
    }

    /// The time.
    pub fn now(&self) -> Millis {
        self.wall + millis(self.start.elapsed())
    }

    /// What the wall clock of now would have shown at `at`, a time of this clock.
    pub fn wall(&self, at: Millis) -> Millis {
        translate(at, self.now(), wall())
    }
}

fn wall() -> Millis {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    wall.map_or(0, millis)
}

/// As long ago by `wall` as `at` is by `now`. Within a second they are the same clock, read one after the other.
const fn translate(at: Millis, now: Millis, wall: Millis) -> Millis {
    let ahead = wall.saturating_sub(now);
    if ahead.abs() < 1000 {
        return at;
    }
    at.saturating_add(ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_minute_ago_stays_so_whatever_the_wall_clock_shows() {
        let minute = 60_000;
        let now = 1_800_000_000_000;
        for set in [-3_600_000, 0, 3_600_000] {
            assert_eq!(translate(now - minute, now, now + set), now + set - minute);
        }
        assert_eq!(translate(now - minute, now, now + 1), now - minute);
        let clock = Clock::of_process();
        let off = clock.wall(clock.now()) - wall();
        assert!(off.abs() < 1000, "{off}");
    }
}
