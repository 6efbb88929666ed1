//! What is remembered of failed attempts, in the form in which it outlives a leader.

use std::collections::BTreeMap;

use provost_proto::link as wire;
use provost_proto::worker::TaskType;
use provost_scheduler::Pod;
use provost_scheduler::retry::History;
use serde::{Deserialize, Serialize};

use crate::Millis;

/// What workers say of longer times is taken for so much: a week.
pub(crate) const LONGEST_ATTEMPT: Millis = 7 * 24 * 3_600_000;

/// Failed attempts at the tasks of a proof, by their type and over all runs.
pub type AttemptsByType = BTreeMap<TaskType, Attempts>;

/// Failed attempts at a task, or at all tasks of a type. Plain counts: stored as they are, and read back by a later leader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attempts {
    /// Attempts that failed for reasons of their own.
    pub failed: u32,
    /// How many of them made a proof that does not verify.
    pub invalid: u32,
    /// Times that its worker was told to go.
    pub preempted: u32,
    /// Times that its worker vanished.
    pub lost: u32,
    /// How many different workers those were, where the task may have been the reason.
    pub lost_workers: u32,
    /// Times that its worker ran out of memory.
    pub out_of_memory: u32,
    /// How many different workers those were, where the task may have been the reason.
    pub out_of_memory_workers: u32,
    /// Least capacity of a worker for it, in GiB, once it ran out of memory; 0 before.
    pub min_capacity: u32,
    /// Since when the attempts in a row have found the store away, in milliseconds since the Unix epoch; 0 if the last one did not.
    pub store_away_since_ms: Millis,
    /// How many attempts those were.
    pub store_waits: u32,
}

impl Attempts {
    /// Whether nothing has failed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Out of what is remembered of workers that ran out of memory, and of everything else.
    pub(crate) fn new(memory: &History, other: &History) -> Self {
        let since = other.store_away_since.map(Millis::try_from);
        Self {
            failed: other.retries,
            invalid: other.invalid,
            preempted: other.preemptions,
            lost: other.losses,
            lost_workers: count(&other.killed),
            out_of_memory: memory.losses,
            out_of_memory_workers: count(&memory.killed),
            min_capacity: memory.min_capacity,
            store_away_since_ms: since.and_then(Result::ok).unwrap_or(0),
            store_waits: other.store_waits,
        }
    }

    /// What is remembered of workers that ran out of memory.
    pub(crate) fn memory(&self) -> History {
        History {
            losses: self.out_of_memory,
            killed: gone(self.out_of_memory_workers),
            min_capacity: self.min_capacity,
            ..History::default()
        }
    }

    /// What is remembered of everything else.
    pub(crate) fn other(&self) -> History {
        let since = u64::try_from(self.store_away_since_ms).ok();
        History {
            retries: self.failed,
            invalid: self.invalid,
            preemptions: self.preempted,
            losses: self.lost,
            killed: gone(self.lost_workers),
            min_capacity: 0,
            store_away_since: since.filter(|since| *since != 0),
            store_waits: self.store_waits,
        }
    }
}

fn count(pods: &[Pod]) -> u32 {
    u32::try_from(pods.len()).unwrap_or(u32::MAX)
}

/// Most workers that a stored count stands for: no bound is as high.
const MAX_GONE: u32 = 1_000;

/// Workers that are gone for good, under numbers that no other gets: those of the living count from 1.
fn gone(count: u32) -> Vec<Pod> {
    let count = u64::from(count.min(MAX_GONE));
    (0..count).map(|n| Pod::new(u64::MAX - n)).collect()
}

impl From<wire::Attempts> for Attempts {
    fn from(wire: wire::Attempts) -> Self {
        Self {
            failed: wire.failed,
            invalid: wire.invalid,
            preempted: wire.preempted,
            lost: wire.lost,
            lost_workers: wire.lost_workers,
            out_of_memory: wire.out_of_memory,
            out_of_memory_workers: wire.out_of_memory_workers,
            min_capacity: wire.min_capacity,
            store_away_since_ms: wire.store_away_since_ms,
            store_waits: wire.store_waits,
        }
    }
}

impl From<Attempts> for wire::Attempts {
    fn from(attempts: Attempts) -> Self {
        Self {
            failed: attempts.failed,
            invalid: attempts.invalid,
            preempted: attempts.preempted,
            lost: attempts.lost,
            lost_workers: attempts.lost_workers,
            out_of_memory: attempts.out_of_memory,
            out_of_memory_workers: attempts.out_of_memory_workers,
            min_capacity: attempts.min_capacity,
            store_away_since_ms: attempts.store_away_since_ms,
            store_waits: attempts.store_waits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_come_back_from_their_counts() {
        let attempts = Attempts {
            failed: 1,
            invalid: 2,
            preempted: 3,
            lost: 5,
            lost_workers: 4,
            out_of_memory: 7,
            out_of_memory_workers: 6,
            min_capacity: 8,
            store_away_since_ms: 9,
            store_waits: 10,
        };
        let again = Attempts::new(&attempts.memory(), &attempts.other());
        assert_eq!(again, attempts);
        assert_eq!(Attempts::from(wire::Attempts::from(again)), attempts);
        let nothing = Attempts::default();
        assert_eq!(nothing.memory(), History::default());
        assert_eq!(nothing.other(), History::default());
        let json = serde_json::to_string(&attempts).unwrap();
        assert_eq!(serde_json::from_str::<Attempts>(&json).unwrap(), attempts);
        assert_eq!(serde_json::from_str::<Attempts>("{}").unwrap(), nothing);
    }

    #[test]
    fn a_worker_that_comes_back_is_none_that_is_gone() {
        let history = Attempts {
            lost_workers: 2,
            ..Attempts::default()
        }
        .other();
        assert_eq!(history.killed.len(), 2);
        assert!(!history.killed.contains(&Pod::new(1)) && history.killed[0] != history.killed[1]);
    }
}
