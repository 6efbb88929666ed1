//! What could not be stored yet and is tried again: outcomes of proofs, whose workers wait for an answer, and runs, whose roots wait.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use provost_coordinator::{ProofId, StateError};

use crate::metrics::TermMetrics;

/// A kind of thing that is stored before anybody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// How a proof ended.
    Outcome,
    /// That a run begins.
    Run,
}

/// What waits, and since when (Unix milliseconds).
pub(super) struct Unstored {
    metrics: TermMetrics,
    since: Mutex<HashMap<(Kind, ProofId), i64>>,
}

impl Unstored {
    pub(super) fn new(metrics: TermMetrics) -> Self {
        metrics.unstored(0, 0, None);
        Self {
            metrics,
            since: Mutex::default(),
        }
    }

    /// Notes what became of an attempt at `now`: why it failed, if it did.
    pub(super) fn note(&self, kind: Kind, proof: &ProofId, failed: Option<&StateError>, now: i64) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let thing = (kind, proof.clone());
        match failed {
            Some(StateError::Unavailable(_) | StateError::Refused(_)) => {
                since.entry(thing).or_insert(now);
            }
            None | Some(StateError::Gone(_)) => {
                since.remove(&thing);
            }
        }
        let count = |kind| since.keys().filter(|(of, _)| *of == kind).count();
        let oldest = since.values().min().copied();
        self.metrics
            .unstored(count(Kind::Outcome), count(Kind::Run), oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn what_waits_is_shown_until_it_is_stored_or_nobody_wants_it() {
        let metrics = Metrics::new();
        let unstored = Unstored::new(metrics.terms.clone());
        let away = StateError::Unavailable("away".into());
        let gone = StateError::Gone(String::new());
        let shows = |lines: [&str; 3]| {
            let text = metrics.render();
            for line in lines {
                assert!(text.contains(line), "{line} is missing in\n{text}");
            }
        };
        unstored.note(Kind::Outcome, &"a".into(), Some(&away), 5_000);
        unstored.note(Kind::Run, &"b".into(), Some(&away), 7_000);
        unstored.note(Kind::Outcome, &"a".into(), Some(&away), 9_000);
        shows([
            "provost_unstored{what=\"outcome\"} 1",
            "provost_unstored{what=\"run\"} 1",
            "provost_unstored_oldest_timestamp_seconds 5\n",
        ]);
        unstored.note(Kind::Outcome, &"a".into(), None, 10_000);
        unstored.note(Kind::Run, &"b".into(), Some(&gone), 10_000);
        shows([
            "provost_unstored{what=\"outcome\"} 0",
            "provost_unstored{what=\"run\"} 0",
            "provost_unstored_oldest_timestamp_seconds 0\n",
        ]);
    }
}
