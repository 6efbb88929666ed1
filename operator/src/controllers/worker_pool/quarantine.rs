//! Nodes that a pool's new workers stay away from for a while, since workers failed there again and again: a GPU that breaks its workers would
//! otherwise get, and break, each one that replaces the last. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use provost_crds::QuarantinedNode;

use super::suspects::Suspects;

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
    /// The workers that failed, by node.
    failures: HashMap<String, Vec<Failure>>,
    nodes: BTreeMap<String, LeftOut>,
    recalled: bool,
}

/// A worker that failed.
#[derive(Debug)]
struct Failure {
    at: Timestamp,
    pod: String,
    /// What was said of it.
    why: String,
}

/// A node that is left out.
#[derive(Debug)]
struct LeftOut {
    entry: QuarantinedNode,
    /// The pods whose failures led to it; none for what an earlier leader decided.
    pods: Vec<String>,
}

impl Quarantine {
    /// The worker in `pod` came to a bad end on `node`.
    pub fn failed(&mut self, node: &str, pod: &str, why: &str, now: Timestamp) {
        let failures = self.failures.entry(node.to_owned()).or_default();
        // Here too: nobody decides on a standby, nor for a pool without GPUs.
        failures.retain(|failure| now.duration_since(failure.at) < WINDOW);
        failures.push(Failure {
            at: now,
            pod: pod.to_owned(),
            why: why.to_owned(),
        });
    }

    /// Goes on with what an earlier leader had decided; only the first time.
    pub fn recall(&mut self, decided: &[QuarantinedNode]) {
        if !std::mem::replace(&mut self.recalled, true) {
            let decided = decided.iter().cloned();
            self.nodes.extend(decided.map(|entry| {
                let pods = Vec::new();
                (entry.node.clone(), LeftOut { entry, pods })
            }));
        }
    }

    /// Decides, and returns the nodes that are new among them. A node is only left out where the pool has a ready worker on another, of `ready`: with nothing
    /// else to go to, the next try is better than none. Workers that `suspects` excuses do not count, nor do they keep a node out any longer.
    pub fn decide(
        &mut self,
        ready: &BTreeSet<String>,
        suspects: &Suspects,
        now: Timestamp,
    ) -> Vec<QuarantinedNode> {
        self.nodes.retain(|_, LeftOut { entry, pods }| {
            let counts = pods.iter().filter(|pod| !suspects.excuses(pod)).count();
            entry.until.0 > now && (pods.is_empty() || counts >= FAILURES)
        });
        self.failures.retain(|_, failures| {
            failures.retain(|failure| now.duration_since(failure.at) < WINDOW);
            !failures.is_empty()
        });
        let mut new = Vec::new();
        for (node, failures) in &self.failures {
            let elsewhere = ready
                .iter()
                .any(|other| other != node && !self.nodes.contains_key(other));
            let known = self.nodes.contains_key(node) || self.nodes.len() >= MAX_NODES;
            let failures = failures.iter().filter(|f| !suspects.excuses(&f.pod));
            let failures: Vec<&Failure> = failures.collect();
            if failures.len() < FAILURES || known || !elsewhere {
                continue;
            }
            let entry = QuarantinedNode {
                node: node.clone(),
                // In whole seconds, as it is stored.
                until: Time(now.round(Unit::Second).unwrap_or(now) + STAY_AWAY),
                message: message(&failures, suspects),
            };
            let pods = failures.iter().map(|f| f.pod.clone()).collect();
            let left_out = LeftOut {
                entry: entry.clone(),
                pods,
            };
            self.nodes.insert(node.clone(), left_out);
            new.push(entry);
        }
        new
    }

    /// The nodes that are left out now.
    pub fn nodes(&self) -> Vec<QuarantinedNode> {
        self.nodes.values().map(|left| left.entry.clone()).collect()
    }
}

/// How many failed, on which GPUs, and how the last one did.
fn message(failures: &[&Failure], suspects: &Suspects) -> String {
    let mut gpus: BTreeMap<&str, usize> = BTreeMap::new();
    for gpu in failures.iter().filter_map(|f| suspects.gpu(&f.pod)) {
        *gpus.entry(gpu).or_default() += 1;
    }
    let gpus = gpus
        .iter()
        .map(|(gpu, count)| format!("{count} on GPU {gpu}"));
    let gpus = gpus.collect::<Vec<_>>().join(", ");
    let gpus = match gpus.as_str() {
        "" => gpus,
        known => format!(" ({known})"),
    };
    let last = failures.last().map_or("", |failure| &failure.why);
    let mut text = format!(
        "{} workers failed here{gpus}; the last: {last}",
        failures.len()
    );
    text.truncate(text.floor_char_boundary(MAX_MESSAGE));
    text
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

    /// Where nothing is known of what lost workers were at.
    fn decide(quarantine: &mut Quarantine, ready: &[&str], minute: i64) -> Vec<QuarantinedNode> {
        quarantine.decide(&nodes(ready), &Suspects::default(), at(minute))
    }

    fn left_out(quarantine: &Quarantine) -> Vec<String> {
        quarantine.nodes().into_iter().map(|n| n.node).collect()
    }

    /// Three failures on `bad` in three minutes.
    fn failing() -> Quarantine {
        let mut quarantine = Quarantine::default();
        for minute in 0..3 {
            quarantine.failed("bad", &format!("bad-{minute}"), "exit code 134", at(minute));
        }
        quarantine
    }

    #[test]
    fn a_node_on_which_workers_fail_again_and_again_is_left_out_for_an_hour() {
        let mut quarantine = failing();
        let new = decide(&mut quarantine, &["good"], 3);
        assert_eq!(new.len(), 1);
        assert_eq!(
            new[0].message,
            "3 workers failed here; the last: exit code 134"
        );
        assert_eq!(new[0].until.0, at(63));
        assert_eq!(left_out(&quarantine), ["bad"]);
        // It is told once.
        assert!(decide(&mut quarantine, &["good"], 4).is_empty());
        decide(&mut quarantine, &["good"], 63);
        assert!(left_out(&quarantine).is_empty());
    }

    #[test]
    fn a_few_failures_are_nothing() {
        let mut quarantine = Quarantine::default();
        for minute in [0, 20, 40, 60] {
            quarantine.failed("a", "a-0", "exit code 134", at(minute));
            quarantine.failed(
                &format!("node-{minute}"),
                "a-1",
                "exit code 134",
                at(minute),
            );
            assert!(decide(&mut quarantine, &["good"], minute).is_empty());
        }
    }

    #[test]
    fn the_last_node_is_not_left_out() {
        let mut quarantine = failing();
        assert!(decide(&mut quarantine, &["bad"], 3).is_empty());
        assert!(decide(&mut quarantine, &[], 3).is_empty());
        assert_eq!(decide(&mut quarantine, &["bad", "good"], 3).len(), 1);
        for _ in 0..3 {
            quarantine.failed("good", "good-0", "exit code 69", at(4));
        }
        assert!(decide(&mut quarantine, &["bad"], 4).is_empty());
    }

    #[test]
    fn the_next_leader_knows() {
        let mut quarantine = failing();
        let decided = decide(&mut quarantine, &["good"], 3);
        let mut next = Quarantine::default();
        next.recall(&decided);
        assert!(decide(&mut next, &["good"], 4).is_empty());
        assert_eq!(left_out(&next), ["bad"]);
        // What has run out by then does not come back.
        decide(&mut next, &["good"], 63);
        next.recall(&decided);
        assert!(left_out(&next).is_empty());
    }

    #[test]
    fn workers_that_a_program_took_down_do_not_count() {
        let mut quarantine = failing();
        let mut suspects = Suspects::default();
        for (pod, proof) in [("bad-0", "p"), ("bad-1", "q"), ("bad-2", "p")] {
            suspects.lost(pod, [proof.to_owned()], None, at(2));
        }
        let good = nodes(&["good"]);
        assert_eq!(quarantine.decide(&good, &suspects, at(3)).len(), 1);
        // What is found out later ends it, and the one whose proof was innocent counts on.
        suspects.poison("p", at(4));
        assert!(quarantine.decide(&good, &suspects, at(4)).is_empty());
        assert!(left_out(&quarantine).is_empty());
        for minute in [4, 5] {
            quarantine.failed("bad", "bad-3", "exit code 134", at(minute));
        }
        let new = quarantine.decide(&good, &suspects, at(5));
        assert_eq!(
            new[0].message,
            "3 workers failed here; the last: exit code 134"
        );
    }

    #[test]
    fn the_gpus_are_named() {
        let mut quarantine = failing();
        let mut suspects = Suspects::default();
        for (pod, gpu) in [
            ("bad-0", Some("b")),
            ("bad-1", Some("a")),
            ("bad-2", Some("b")),
        ] {
            suspects.lost(pod, [], gpu.map(str::to_owned), at(2));
        }
        let new = quarantine.decide(&nodes(&["good"]), &suspects, at(3));
        assert_eq!(
            new[0].message,
            "3 workers failed here (1 on GPU a, 2 on GPU b); the last: exit code 134"
        );
    }
}
