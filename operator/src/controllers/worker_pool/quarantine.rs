//! Nodes that a pool's new workers stay away from for a while, since workers failed there again and again: a GPU that breaks its workers would
//! otherwise get, and break, each one that replaces the last. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use provost_crds::QuarantinedNode;

/// Failures on a node within [`WINDOW`] that are too many.
const FAILURES: usize = 3;
/// How long a failure counts.
const WINDOW: SignedDuration = SignedDuration::from_mins(30);
/// How long new workers stay away.
const STAY_AWAY: SignedDuration = SignedDuration::from_hours(1);
/// Most nodes that are left out: the definition's bound.
const MAX_NODES: usize = 64;
/// Longest message of an entry, in bytes: the definition's bound.
const MAX_MESSAGE: usize = 512;

/// The nodes of one pool.
#[derive(Debug, Default)]
pub struct Quarantine {
    /// When workers failed, by node, and what the last one said.
    failures: HashMap<String, (Vec<Timestamp>, String)>,
    nodes: BTreeMap<String, QuarantinedNode>,
    recalled: bool,
}

impl Quarantine {
    /// A worker on `node` came to a bad end.
    pub fn failed(&mut self, node: &str, why: &str, now: Timestamp) {
        let (times, last) = self.failures.entry(node.to_owned()).or_default();
        times.retain(|at| now.duration_since(*at) < WINDOW);
        times.push(now);
        why.clone_into(last);
    }

    /// Goes on with what an earlier leader had decided; only the first time.
    pub fn recall(&mut self, decided: &[QuarantinedNode]) {
        if !std::mem::replace(&mut self.recalled, true) {
            let decided = decided.iter().cloned();
            self.nodes
                .extend(decided.map(|entry| (entry.node.clone(), entry)));
        }
    }

    /// Decides, and returns the nodes that are new among them. A node is only left out where the pool has a ready worker on another, of `ready`: with nothing
    /// else to go to, the next try is better than none.
    pub fn decide(&mut self, ready: &BTreeSet<String>, now: Timestamp) -> Vec<QuarantinedNode> {
        self.nodes.retain(|_, entry| entry.until.0 > now);
        self.failures.retain(|_, (times, _)| {
            times.retain(|at| now.duration_since(*at) < WINDOW);
            !times.is_empty()
        });
        let mut new = Vec::new();
        for (node, (times, last)) in &self.failures {
            let elsewhere = ready
                .iter()
                .any(|other| other != node && !self.nodes.contains_key(other));
            let known = self.nodes.contains_key(node) || self.nodes.len() >= MAX_NODES;
            if times.len() < FAILURES || known || !elsewhere {
                continue;
            }
            let mut message = format!("{} workers failed here; the last: {last}", times.len());
            message.truncate(message.floor_char_boundary(MAX_MESSAGE));
            let entry = QuarantinedNode {
                node: node.clone(),
                // In whole seconds, as it is stored.
                until: Time(now.round(Unit::Second).unwrap_or(now) + STAY_AWAY),
                message,
            };
            self.nodes.insert(node.clone(), entry.clone());
            new.push(entry);
        }
        for entry in &new {
            self.failures.remove(&entry.node);
        }
        new
    }

    /// The nodes that are left out now.
    pub fn nodes(&self) -> Vec<QuarantinedNode> {
        self.nodes.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn nodes(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn left_out(quarantine: &Quarantine) -> Vec<String> {
        quarantine.nodes().into_iter().map(|n| n.node).collect()
    }

    /// Three failures on `bad` in three minutes.
    fn failing() -> Quarantine {
        let mut quarantine = Quarantine::default();
        for minute in 0..3 {
            quarantine.failed("bad", "exit code 134", at(minute));
        }
        quarantine
    }

    #[test]
    fn a_node_on_which_workers_fail_again_and_again_is_left_out_for_an_hour() {
        let mut quarantine = failing();
        let new = quarantine.decide(&nodes(&["good"]), at(3));
        assert_eq!(new.len(), 1);
        assert_eq!(
            new[0].message,
            "3 workers failed here; the last: exit code 134"
        );
        assert_eq!(new[0].until.0, at(63));
        assert_eq!(left_out(&quarantine), ["bad"]);
        // It is told once.
        assert!(quarantine.decide(&nodes(&["good"]), at(4)).is_empty());
        quarantine.decide(&nodes(&["good"]), at(63));
        assert!(left_out(&quarantine).is_empty());
    }

    #[test]
    fn a_few_failures_are_nothing() {
        let mut quarantine = Quarantine::default();
        for minute in [0, 20, 40, 60] {
            quarantine.failed("a", "exit code 134", at(minute));
            quarantine.failed(&format!("node-{minute}"), "exit code 134", at(minute));
            assert!(quarantine.decide(&nodes(&["good"]), at(minute)).is_empty());
        }
    }

    #[test]
    fn the_last_node_is_not_left_out() {
        let mut quarantine = failing();
        assert!(quarantine.decide(&nodes(&["bad"]), at(3)).is_empty());
        assert!(quarantine.decide(&nodes(&[]), at(3)).is_empty());
        assert_eq!(quarantine.decide(&nodes(&["bad", "good"]), at(3)).len(), 1);
        for _ in 0..3 {
            quarantine.failed("good", "exit code 69", at(4));
        }
        assert!(quarantine.decide(&nodes(&["bad"]), at(4)).is_empty());
    }

    #[test]
    fn the_next_leader_knows() {
        let mut quarantine = failing();
        let decided = quarantine.decide(&nodes(&["good"]), at(3));
        let mut next = Quarantine::default();
        next.recall(&decided);
        assert!(next.decide(&nodes(&["good"]), at(4)).is_empty());
        assert_eq!(left_out(&next), ["bad"]);
        // What has run out by then does not come back.
        next.decide(&nodes(&["good"]), at(63));
        next.recall(&decided);
        assert!(left_out(&next).is_empty());
    }
}
