//! What lost workers were at: a program that takes workers down wherever it runs says nothing against their machines. Pure.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

/// How long it is remembered: longer than failures count and nodes are left out together.
const KEPT: SignedDuration = SignedDuration::from_hours(2);

/// The workers that were lost, and the proofs that were found to be the reason.
#[derive(Debug, Default)]
pub struct Suspects {
    /// By pod.
    lost: HashMap<String, Lost>,
    /// Proofs that were given up since they take workers down, and when.
    poison: HashMap<String, Timestamp>,
}

/// A lost worker.
#[derive(Debug)]
struct Lost {
    at: Timestamp,
    proofs: BTreeSet<String>,
    gpu: Option<String>,
}

impl Suspects {
    /// The worker in `pod` was lost, with tasks of these proofs, on the GPU of this UUID if it had one. Its roles may be told one by one.
    pub fn lost(
        &mut self,
        pod: &str,
        proofs: impl IntoIterator<Item = String>,
        gpu: Option<String>,
        now: Timestamp,
    ) {
        self.forget(now);
        let lost = self.lost.entry(pod.to_owned()).or_insert_with(|| Lost {
            at: now,
            proofs: BTreeSet::new(),
            gpu: None,
        });
        lost.proofs.extend(proofs);
        lost.gpu = gpu.or_else(|| lost.gpu.take());
    }

    /// The proof takes workers down wherever it runs.
    pub fn poison(&mut self, proof: &str, now: Timestamp) {
        self.forget(now);
        self.poison.insert(proof.to_owned(), now);
    }

    /// Whether such a proof may be why the worker in `pod` was lost.
    pub fn excuses(&self, pod: &str) -> bool {
        let proofs = self.lost.get(pod).map(|lost| &lost.proofs);
        let mut proofs = proofs.into_iter().flatten();
        proofs.any(|proof| self.poison.contains_key(proof))
    }

    /// The UUID of the GPU that the worker in `pod` had, if that is known.
    pub fn gpu(&self, pod: &str) -> Option<&str> {
        self.lost.get(pod)?.gpu.as_deref()
    }

    fn forget(&mut self, now: Timestamp) {
        let kept = |at: Timestamp| now.duration_since(at) < KEPT;
        self.lost.retain(|_, lost| kept(lost.at));
        self.poison.retain(|_, at| kept(*at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    #[test]
    fn a_worker_is_excused_if_any_proof_that_it_had_was_poison() {
        let mut suspects = Suspects::default();
        suspects.lost("a", ["p".to_owned()], None, at(0));
        suspects.lost("a", ["q".to_owned()], Some("0-1".to_owned()), at(0));
        suspects.lost("a", [], None, at(0));
        suspects.lost("b", ["r".to_owned()], None, at(0));
        assert!(!suspects.excuses("a"));
        suspects.poison("q", at(0));
        assert!(suspects.excuses("a"));
        assert!(!suspects.excuses("b") && !suspects.excuses("unknown"));
        assert_eq!((suspects.gpu("a"), suspects.gpu("b")), (Some("0-1"), None));
    }

    #[test]
    fn the_order_in_which_it_is_told_does_not_matter_and_old_news_are_forgotten() {
        let mut suspects = Suspects::default();
        suspects.poison("p", at(0));
        suspects.lost("a", ["p".to_owned()], None, at(1));
        assert!(suspects.excuses("a"));
        suspects.lost("b", ["p".to_owned()], None, at(2));
        assert!(!suspects.excuses("b"));
        suspects.lost("c", [], None, at(3));
        assert!(!suspects.lost.contains_key("a"));
    }
}
