//! Deadlines, and when they make a proof urgent.
//!
//! Slack is the time to the deadline less the time that the rest of the work takes. It shrinks at the same rate for all, so who has less never changes with
//! time alone, and what compares is the latest start: deadline less remaining work. A deadline far off must not buy a way past those who share fairly, so it
//! counts for nothing until the slack is down to [`Settings::urgent_slack`](crate::Settings::urgent_slack). A deadline that has passed counts for nothing again: to run what is late
//! before what can still be in time would make both late.

use crate::Millis;

/// When a proof is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The time by which it must be there.
    pub at: Millis,
    /// How long the rest of its work is thought to take, with the workers that it can get. Say it anew as the work proceeds.
    pub remaining: Millis,
}

/// What a deadline means at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Urgency {
    /// The latest start, if the proof is urgent.
    pub(crate) start_by: Option<Millis>,
    /// When that changes by itself.
    pub(crate) until: Option<Millis>,
}

impl Deadline {
    const fn latest_start(self) -> Millis {
        self.at.saturating_sub(self.remaining)
    }

    pub(crate) const fn urgency(self, now: Millis, urgent_slack: Millis) -> Urgency {
        let from = self.latest_start().saturating_sub(urgent_slack);
        if now >= self.at {
            return Urgency {
                start_by: None,
                until: None,
            };
        }
        if now >= from {
            return Urgency {
                start_by: Some(self.latest_start()),
                until: Some(self.at),
            };
        }
        Urgency {
            start_by: None,
            until: Some(from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_urgent_from_little_slack_to_its_deadline() {
        let deadline = Deadline {
            at: 1_000,
            remaining: 300,
        };
        let at = |now| deadline.urgency(now, 100);
        assert_eq!((at(0).start_by, at(0).until), (None, Some(600)));
        assert_eq!((at(599).start_by, at(599).until), (None, Some(600)));
        assert_eq!((at(600).start_by, at(600).until), (Some(700), Some(1_000)));
        assert_eq!((at(999).start_by, at(999).until), (Some(700), Some(1_000)));
        assert_eq!((at(1_000).start_by, at(1_000).until), (None, None));
    }

    #[test]
    fn more_work_than_time_is_urgent_at_once() {
        let deadline = Deadline {
            at: 10,
            remaining: 99,
        };
        assert_eq!(deadline.urgency(0, 0).start_by, Some(0));
    }
}
