//! Counts of failed attempts, as the coordinator has them and as a root task's object keeps them for the next leader. Pure.

use std::collections::BTreeMap;

use provost_coordinator::{Attempts, AttemptsByType, task_name, task_type};
use provost_crds::FailedAttempts;

/// What the object keeps.
pub(super) fn stored(attempts: &AttemptsByType) -> BTreeMap<String, FailedAttempts> {
    attempts
        .iter()
        .filter(|(_, attempts)| !attempts.is_empty())
        .map(|(kind, attempts)| (task_name(*kind).to_owned(), store(attempts)))
        .collect()
}

/// What the coordinator goes on counting from. Types that it does not know are left out.
pub fn recovered(stored: &BTreeMap<String, FailedAttempts>) -> AttemptsByType {
    stored
        .iter()
        .filter_map(|(name, attempts)| Some((task_type(name)?, recover(attempts))))
        .collect()
}

fn store(attempts: &Attempts) -> FailedAttempts {
    FailedAttempts {
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

fn recover(stored: &FailedAttempts) -> Attempts {
    Attempts {
        failed: stored.failed,
        invalid: stored.invalid,
        preempted: stored.preempted,
        lost: stored.lost,
        lost_workers: stored.lost_workers,
        out_of_memory: stored.out_of_memory,
        out_of_memory_workers: stored.out_of_memory_workers,
        min_capacity: stored.min_capacity,
        store_away_since_ms: stored.store_away_since_ms,
        store_waits: stored.store_waits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_proto::worker::TaskType;

    #[test]
    fn counts_come_back_as_they_went() {
        let attempts = Attempts {
            failed: 1,
            invalid: 2,
            preempted: 3,
            lost: 4,
            lost_workers: 5,
            out_of_memory: 6,
            out_of_memory_workers: 7,
            min_capacity: 8,
            store_away_since_ms: 9,
            store_waits: 10,
        };
        let counted = AttemptsByType::from([(TaskType::CoreExecute, attempts.clone())]);
        assert_eq!(recovered(&stored(&counted)), counted);
        let nothing = AttemptsByType::from([(TaskType::Controller, Attempts::default())]);
        assert!(stored(&nothing).is_empty());
        let later = BTreeMap::from([("NotYetInvented".to_owned(), store(&attempts))]);
        assert!(recovered(&later).is_empty());
    }
}
