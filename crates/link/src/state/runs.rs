//! Which runs are over, and which run of a proof is the latest here.

use std::collections::HashMap;
use std::sync::Arc;

use super::Millis;
use crate::Run;

/// How long a proof that is not heard of any more is remembered.
const MEMORY: Millis = 60 * 60 * 1000;

/// The runs of one proof.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Proof {
    /// The latest that a task was ordered of.
    latest: Option<u32>,
    /// The last one that is over.
    over: Option<u32>,
    touched: Millis,
}

/// What is known of runs. Forgets a proof after an hour without news.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    proofs: HashMap<Arc<str>, Proof>,
}

impl Runs {
    /// A task of the run is to start here. The leader that orders it knows best: the run is not over.
    pub(crate) fn began(&mut self, run: &Run, now: Millis) {
        let proof = self.touch(run, now);
        proof.latest = proof.latest.max(Some(run.number()));
        if proof.over >= Some(run.number()) {
            proof.over = run.number().checked_sub(1);
        }
    }

    /// The run, and so all before it, are over.
    pub(crate) fn over(&mut self, run: &Run, now: Millis) {
        let proof = self.touch(run, now);
        proof.over = proof.over.max(Some(run.number()));
    }

    /// Whether the run is over.
    pub(crate) fn is_over(&self, run: &Run) -> bool {
        self.proofs
            .get(run.proof_id())
            .is_some_and(|proof| proof.over >= Some(run.number()))
    }

    /// The latest run of the proof that a task was ordered of, unless it is over.
    pub(crate) fn latest(&self, proof_id: &str) -> Option<Run> {
        let (id, proof) = self.proofs.get_key_value(proof_id)?;
        let number = proof.latest.filter(|latest| Some(*latest) > proof.over)?;
        Some(Run::new(id.clone(), number))
    }

    /// Forgets the proofs that were not heard of for long, save those that `still` counts.
    pub(crate) fn expire(&mut self, now: Millis, still: impl Fn(&str) -> bool) {
        self.proofs
            .retain(|id, proof| now.saturating_sub(proof.touched) < MEMORY || still(id));
    }

    fn touch(&mut self, run: &Run, now: Millis) -> &mut Proof {
        let proof = self.proofs.entry(run.proof_id().into()).or_default();
        proof.touched = now;
        proof
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_over_ends_those_before_it() {
        let mut runs = Runs::default();
        runs.over(&Run::new("p", 2), 0);
        assert!(runs.is_over(&Run::new("p", 0)) && runs.is_over(&Run::new("p", 2)));
        assert!(!runs.is_over(&Run::new("p", 3)) && !runs.is_over(&Run::new("q", 0)));
        runs.over(&Run::new("p", 1), 0);
        assert!(runs.is_over(&Run::new("p", 2)));
    }

    #[test]
    fn the_latest_run_is_the_highest_that_goes_on() {
        let mut runs = Runs::default();
        assert_eq!(runs.latest("p"), None);
        runs.began(&Run::new("p", 1), 0);
        runs.began(&Run::new("p", 0), 0);
        assert_eq!(runs.latest("p"), Some(Run::new("p", 1)));
        runs.over(&Run::new("p", 1), 0);
        assert_eq!(runs.latest("p"), None);
        runs.began(&Run::new("p", 1), 0);
        assert_eq!(runs.latest("p"), Some(Run::new("p", 1)));
        assert!(runs.is_over(&Run::new("p", 0)));
    }

    #[test]
    fn old_proofs_are_forgotten() {
        let mut runs = Runs::default();
        runs.over(&Run::new("p", 0), 0);
        runs.over(&Run::new("q", 0), 0);
        runs.over(&Run::new("r", 0), MEMORY - 1);
        runs.expire(MEMORY, |id| id == "q");
        assert!(!runs.is_over(&Run::new("p", 0)));
        assert!(runs.is_over(&Run::new("q", 0)) && runs.is_over(&Run::new("r", 0)));
    }
}
