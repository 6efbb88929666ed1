//! Which pods there are and which ends were reported. Pure: watch events in, ends out, each end once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::watcher::Event;
use tokio::time::Instant;

use super::classify::{End, being_deleted, classify, is_capacity, overdue, pool};

/// Time past a pod's grace after which it is overdue.
const OVERDUE: Duration = Duration::from_millis(500);
/// Time after which a pod that is overdue is told of again: what its worker says decides what that means.
const AGAIN: Duration = Duration::from_secs(1);

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
    /// The pod was to be gone by now, and its node does not say that it is.
    Overdue(Ended),
    /// The pod of this name is on this node now, or on none any more.
    Placed(String, Option<String>),
    /// The pod of this name is to get no more tasks, or to get them again.
    Cordoned(String, bool),
}

/// The pods.
#[derive(Debug, Default)]
pub struct PodBook {
    pods: HashMap<String, Pod>,
    /// Since when pods are known to be on their way out, by the clock of this process: the API server's may be another's.
    leaving: HashMap<String, Instant>,
    /// When those that are overdue were told of last.
    overdue: HashMap<String, Instant>,
    reported: HashSet<String>,
    /// Pods of the list that is being received.
    listed: Option<HashSet<String>>,
}

impl PodBook {
    /// Follows an event of the watch, seen at `now`; returns what is new with it.
    pub fn follow(&mut self, event: &Event<Pod>, now: Instant) -> Vec<News> {
        match event {
            Event::Init => {
                self.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(pod) => {
                if let Some(listed) = &mut self.listed {
                    listed.insert(id(pod));
                }
                self.seen(pod, now)
            }
            Event::InitDone => self.relisted(),
            Event::Apply(pod) => self.seen(pod, now),
            Event::Delete(pod) => self.gone(pod),
        }
    }

    /// When [`PodBook::overdue`] has more to say, if nothing else happens.
    pub fn next_overdue(&self) -> Option<Instant> {
        let leaving = self.leaving.keys();
        let waiting = leaving.filter(|id| !self.reported.contains(*id));
        waiting.filter_map(|id| self.due(id)).min()
    }

    /// Pods that were to be gone by `now`, and of which nobody says so, each once a second: a node that is lost itself, or one that takes its time.
    pub fn overdue(&mut self, now: Instant) -> Vec<News> {
        let late = self.pods.iter().filter(|(id, _)| {
            !self.reported.contains(*id) && self.due(id).is_some_and(|due| due <= now)
        });
        let late: Vec<(String, Pod)> = late.map(|(id, pod)| (id.clone(), pod.clone())).collect();
        let news = late.into_iter().map(|(id, pod)| {
            self.overdue.insert(id, now);
            News::Overdue(ended(&pod, overdue(&pod)))
        });
        news.collect()
    }

    /// When the pod is overdue, or is to be told of as such again.
    fn due(&self, id: &str) -> Option<Instant> {
        let grace = self.pods.get(id)?.metadata.deletion_grace_period_seconds?;
        let grace = Duration::from_secs(u64::try_from(grace).ok()?);
        match self.overdue.get(id) {
            Some(told) => Some(*told + AGAIN),
            None => self.leaving.get(id)?.checked_add(grace + OVERDUE),
        }
    }

    fn seen(&mut self, pod: &Pod, now: Instant) -> Vec<News> {
        let id = id(pod);
        if being_deleted(pod) {
            self.leaving.entry(id.clone()).or_insert(now);
        }
        let before = self.pods.insert(id.clone(), pod.clone());
        let placed = place(before.as_ref(), Some(pod));
        let cordoned = cordon(before.as_ref(), Some(pod));
        let ended = self.report(&id, pod, false);
        placed.into_iter().chain(cordoned).chain(ended).collect()
    }

    fn gone(&mut self, pod: &Pod) -> Vec<News> {
        let id = id(pod);
        let ended = self.report(&id, pod, true);
        let before = self.pods.remove(&id);
        self.reported.remove(&id);
        self.leaving.remove(&id);
        self.overdue.remove(&id);
        // Its name may be another's one day.
        let free = cordon(before.as_ref(), None);
        let nowhere = place(before.as_ref(), None);
        ended.into_iter().chain(free).chain(nowhere).collect()
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
        Some(News::Ended(ended(pod, end)))
    }
}

fn ended(pod: &Pod, end: End) -> Ended {
    Ended {
        pod: pod.name_any(),
        pool: pool(pod),
        node: node(pod).map(str::to_owned),
        end,
    }
}

fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

/// What is new of where a pod is when it changes, appears or goes.
fn place(before: Option<&Pod>, now: Option<&Pod>) -> Option<News> {
    let (was, is) = (before.and_then(node), now.and_then(node));
    let name = now.or(before)?.name_any();
    (was != is).then(|| News::Placed(name, is.map(str::to_owned)))
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
    use provost_crds::FailureClass;
    use serde_json::json;

    fn pod(name: &str, phase: &str) -> Pod {
        let meta = json!({"name": name, "uid": name, "labels": {"provost.dev/pool": "small"}});
        serde_json::from_value(json!({"metadata": meta, "status": {"phase": phase, "reason": "Evicted", "message": "m"}})).unwrap()
    }

    fn follow(book: &mut PodBook, event: &Event<Pod>) -> Vec<News> {
        book.follow(event, Instant::now())
    }

    fn ended(news: &[News]) -> Vec<&Ended> {
        let ended = news.iter().map(|news| match news {
            News::Ended(ended) => Some(ended),
            News::Overdue(_) | News::Placed(..) | News::Cordoned(..) => None,
        });
        ended.flatten().collect()
    }

    #[test]
    fn an_end_is_told_once() {
        let mut book = PodBook::default();
        assert!(follow(&mut book, &Event::Apply(pod("a", "Running"))).is_empty());
        let news = follow(&mut book, &Event::Apply(pod("a", "Failed")));
        let [ended] = ended(&news)[..] else {
            panic!("{news:?}")
        };
        assert_eq!((ended.pod.as_str(), ended.pool.as_str()), ("a", "small"));
        assert!(follow(&mut book, &Event::Apply(pod("a", "Failed"))).is_empty());
        assert!(follow(&mut book, &Event::Delete(pod("a", "Failed"))).is_empty());
        assert!(book.pods.is_empty() && book.reported.is_empty());
    }

    #[test]
    fn a_pod_that_vanished_between_two_lists_is_told() {
        let mut book = PodBook::default();
        let mut running = pod("a", "Running");
        running.status.as_mut().unwrap().reason = None;
        follow(&mut book, &Event::Apply(running));
        follow(&mut book, &Event::Apply(pod("b", "Running")));
        follow(&mut book, &Event::Init);
        follow(&mut book, &Event::InitApply(pod("b", "Running")));
        let news = follow(&mut book, &Event::InitDone);
        let [ended] = ended(&news)[..] else {
            panic!("{news:?}")
        };
        assert_eq!(
            (ended.pod.as_str(), ended.end.ending),
            ("a", Ending::Orderly)
        );
    }

    #[test]
    fn a_pod_past_its_grace_is_told_of_until_it_ends() {
        let mut book = PodBook::default();
        let mut leaving = pod("a", "Running");
        leaving.status.as_mut().unwrap().reason = None;
        let seen = Instant::now();
        book.follow(&Event::Apply(leaving.clone()), seen);
        assert_eq!(book.next_overdue(), None);
        let long_ago = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        leaving.metadata.deletion_timestamp = Some(long_ago);
        leaving.metadata.deletion_grace_period_seconds = Some(30);
        for later in [0, 5] {
            let later = seen + Duration::from_secs(later);
            book.follow(&Event::Apply(leaving.clone()), later);
        }
        let grace_ends = seen + Duration::from_secs(30);
        assert!(book.overdue(grace_ends).is_empty());
        let due = book.next_overdue().unwrap();
        assert!(due > grace_ends && due <= grace_ends + Duration::from_secs(1));
        for _ in 0..3 {
            let due = book.next_overdue().unwrap();
            let news = book.overdue(due);
            let [News::Overdue(late)] = &news[..] else {
                panic!("{news:?}")
            };
            assert_eq!(
                (late.pod.as_str(), late.end.ending),
                ("a", Ending::Failed(FailureClass::NodeLost))
            );
            assert!(book.overdue(due).is_empty(), "once a second");
        }
        let gone = follow(&mut book, &Event::Delete(leaving));
        assert_eq!(ended(&gone).len(), 1, "its end is one: {gone:?}");
        assert_eq!(book.next_overdue(), None);
        assert!(book.overdue.is_empty());
        assert!(book.pods.is_empty() && book.reported.is_empty() && book.leaving.is_empty());
    }

    #[test]
    fn a_pod_is_on_a_node_from_its_binding_until_it_is_gone() {
        let mut book = PodBook::default();
        let mut bound = pod("a", "Pending");
        bound.status.as_mut().unwrap().reason = None;
        let placed = |node: Option<&str>| News::Placed("a".into(), node.map(str::to_owned));
        let mut told = |event| {
            let news = follow(&mut book, &event).into_iter();
            let places = news.filter(|news| matches!(news, News::Placed(..)));
            places.collect::<Vec<_>>()
        };
        assert_eq!(told(Event::Apply(bound.clone())), []);
        bound.spec.get_or_insert_default().node_name = Some("n1".into());
        let on = placed(Some("n1"));
        assert_eq!(told(Event::Apply(bound.clone())), [on]);
        assert_eq!(told(Event::Apply(bound.clone())), []);
        assert_eq!(told(Event::Delete(bound)), [placed(None)]);
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
            assert_eq!(
                follow(&mut book, &Event::Apply(pod.clone())),
                news,
                "{status}"
            );
        }
        let time = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        pod.metadata.deletion_timestamp = Some(time);
        assert_eq!(
            follow(&mut book, &Event::Apply(pod.clone())),
            vec![cordoned(true)]
        );
        let gone = follow(&mut book, &Event::Delete(pod));
        assert_eq!(gone.last(), Some(&cordoned(false)));
        assert!(book.pods.is_empty());
    }
}
