//! Which pods there are and which ends were reported. Pure: watch events in, ends out, each end once.

use std::collections::{HashMap, HashSet};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::watcher::Event;

use super::classify::{End, classify, is_capacity, pool};

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

/// What is new of the pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A worker has ended.
    Ended(Ended),
    /// The pod of this name is to get no more tasks, or to get them again.
    Cordoned(String, bool),
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
    /// Follows an event of the watch; returns what is new with it.
    pub fn follow(&mut self, event: &Event<Pod>) -> Vec<News> {
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

    fn seen(&mut self, pod: &Pod) -> Vec<News> {
        let id = id(pod);
        let before = self.pods.insert(id.clone(), pod.clone());
        let cordoned = cordon(before.as_ref(), Some(pod));
        let ended = self.report(&id, pod, false);
        cordoned.into_iter().chain(ended).collect()
    }

    fn gone(&mut self, pod: &Pod) -> Vec<News> {
        let id = id(pod);
        let ended = self.report(&id, pod, true);
        let before = self.pods.remove(&id);
        self.reported.remove(&id);
        // Its name may be another's one day.
        let free = cordon(before.as_ref(), None);
        ended.into_iter().chain(free).collect()
    }

    /// Pods that vanished while nobody watched.
    fn relisted(&mut self) -> Vec<News> {
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

    fn report(&mut self, id: &str, pod: &Pod, deleted: bool) -> Option<News> {
        let end = classify(pod, deleted).filter(|_| !self.reported.contains(id))?;
        self.reported.insert(id.to_owned());
        Some(News::Ended(Ended {
            pod: pod.name_any(),
            pool: pool(pod),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            end,
        }))
    }
}

/// What follows for its tasks when a pod changes, appears or goes.
fn cordon(before: Option<&Pod>, now: Option<&Pod>) -> Option<News> {
    let cordoned = |pod: Option<&Pod>| pod.is_some_and(|pod| !is_capacity(pod));
    let changed = cordoned(before) != cordoned(now);
    let name = now.or(before)?.name_any();
    changed.then(|| News::Cordoned(name, cordoned(now)))
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

    fn ended(news: &[News]) -> Vec<&Ended> {
        let ended = news.iter().map(|news| match news {
            News::Ended(ended) => Some(ended),
            News::Cordoned(..) => None,
        });
        ended.flatten().collect()
    }

    #[test]
    fn an_end_is_told_once() {
        let mut book = PodBook::default();
        assert!(book.follow(&Event::Apply(pod("a", "Running"))).is_empty());
        let news = book.follow(&Event::Apply(pod("a", "Failed")));
        let [ended] = ended(&news)[..] else {
            panic!("{news:?}")
        };
        assert_eq!((ended.pod.as_str(), ended.pool.as_str()), ("a", "small"));
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
        let news = book.follow(&Event::InitDone);
        let [ended] = ended(&news)[..] else {
            panic!("{news:?}")
        };
        assert_eq!(
            (ended.pod.as_str(), ended.end.ending),
            ("a", Ending::Orderly)
        );
    }

    #[test]
    fn a_pod_is_cordoned_while_it_is_no_capacity() {
        let mut book = PodBook::default();
        let cordoned = |on| News::Cordoned("a".to_owned(), on);
        let mut pod = pod("a", "Running");
        let ready = |status: &str| {
            let is = |kind: &str, status: &str| json!({"type": kind, "status": status});
            let all = json!([is("Ready", status), is("ContainersReady", "True")]);
            serde_json::from_value(all).unwrap()
        };
        for (status, news) in [
            ("True", vec![]),
            ("False", vec![cordoned(true)]),
            ("False", vec![]),
            ("True", vec![cordoned(false)]),
        ] {
            pod.status.as_mut().unwrap().conditions = ready(status);
            assert_eq!(book.follow(&Event::Apply(pod.clone())), news, "{status}");
        }
        let time = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        pod.metadata.deletion_timestamp = Some(time);
        assert_eq!(
            book.follow(&Event::Apply(pod.clone())),
            vec![cordoned(true)]
        );
        let gone = book.follow(&Event::Delete(pod));
        assert_eq!(gone.last(), Some(&cordoned(false)));
        assert!(book.pods.is_empty());
    }
}
