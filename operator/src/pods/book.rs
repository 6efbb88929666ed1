//! Which pods there are and which ends were reported. Pure: watch events in, ends out, each end once.

use std::collections::{HashMap, HashSet};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::watcher::Event;

use super::classify::{End, classify, pool};

/// A worker that has come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Name of its pod.
    pub pod: String,
    /// Name of its pool.
    pub pool: String,
    /// The node that it ran on.
    pub node: Option<String>,
    /// How and why.
    pub end: End,
}

/// The pods.
#[derive(Debug, Default)]
pub struct PodBook {
    pods: HashMap<String, Pod>,
    reported: HashSet<String>,
    /// Pods of the list that is being received.
    listed: Option<HashSet<String>>,
}

impl PodBook {
    /// Follows an event of the watch; returns the workers that ended with it.
    pub fn follow(&mut self, event: &Event<Pod>) -> Vec<Ended> {
        match event {
            Event::Init => {
                self.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(pod) => {
                if let Some(listed) = &mut self.listed {
                    listed.insert(id(pod));
                }
                self.seen(pod)
            }
            Event::InitDone => self.relisted(),
            Event::Apply(pod) => self.seen(pod),
            Event::Delete(pod) => self.gone(pod),
        }
    }

    fn seen(&mut self, pod: &Pod) -> Vec<Ended> {
        let id = id(pod);
        self.pods.insert(id.clone(), pod.clone());
        self.report(&id, pod, false)
    }

    fn gone(&mut self, pod: &Pod) -> Vec<Ended> {
        let id = id(pod);
        let ended = self.report(&id, pod, true);
        self.pods.remove(&id);
        self.reported.remove(&id);
        ended
    }

    /// Pods that vanished while nobody watched.
    fn relisted(&mut self) -> Vec<Ended> {
        let Some(listed) = self.listed.take() else {
            return Vec::new();
        };
        let lost: Vec<Pod> = self
            .pods
            .iter()
            .filter(|(id, _)| !listed.contains(*id))
            .map(|(_, pod)| pod.clone())
            .collect();
        lost.iter().flat_map(|pod| self.gone(pod)).collect()
    }

    fn report(&mut self, id: &str, pod: &Pod, deleted: bool) -> Vec<Ended> {
        let Some(end) = classify(pod, deleted).filter(|_| !self.reported.contains(id)) else {
            return Vec::new();
        };
        self.reported.insert(id.to_owned());
        vec![Ended {
            pod: pod.name_any(),
            pool: pool(pod),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            end,
        }]
    }
}

/// The pod's uid; its name for an object that did not come from the API server.
fn id(pod: &Pod) -> String {
    pod.uid().unwrap_or_else(|| pod.name_any())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pods::classify::Ending;
    use serde_json::json;

    fn pod(name: &str, phase: &str) -> Pod {
        let meta = json!({"name": name, "uid": name, "labels": {"provost.dev/pool": "small"}});
        serde_json::from_value(json!({"metadata": meta, "status": {"phase": phase, "reason": "Evicted", "message": "m"}})).unwrap()
    }

    #[test]
    fn an_end_is_told_once() {
        let mut book = PodBook::default();
        assert!(book.follow(&Event::Apply(pod("a", "Running"))).is_empty());
        let ended = book.follow(&Event::Apply(pod("a", "Failed")));
        assert_eq!(
            (ended[0].pod.as_str(), ended[0].pool.as_str()),
            ("a", "small")
        );
        assert!(book.follow(&Event::Apply(pod("a", "Failed"))).is_empty());
        assert!(book.follow(&Event::Delete(pod("a", "Failed"))).is_empty());
        assert!(book.pods.is_empty() && book.reported.is_empty());
    }

    #[test]
    fn a_pod_that_vanished_between_two_lists_is_told() {
        let mut book = PodBook::default();
        let mut running = pod("a", "Running");
        running.status.as_mut().unwrap().reason = None;
        book.follow(&Event::Apply(running));
        book.follow(&Event::Apply(pod("b", "Running")));
        book.follow(&Event::Init);
        book.follow(&Event::InitApply(pod("b", "Running")));
        let ended = book.follow(&Event::InitDone);
        assert_eq!(ended.len(), 1);
        assert_eq!(
            (ended[0].pod.as_str(), ended[0].end.ending),
            ("a", Ending::Orderly)
        );
    }
}
