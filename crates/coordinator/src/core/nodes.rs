//! The nodes that pods run on, as Kubernetes tells: what fails on one pod of a node may fail on the next.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use provost_scheduler::Pod;

use super::Core;

/// Which pod is on which node, by a hash of its name.
#[derive(Debug, Default)]
pub(super) struct Nodes(HashMap<String, u64>);

impl Nodes {
    /// A pod, with its node if that is known.
    pub(super) fn place(&self, name: &str, pod: Pod) -> Pod {
        self.0.get(name).map_or(pod, |node| pod.on(*node))
    }
}

impl Core {
    /// A pod is on a node; `None` once it is on none any more.
    pub(crate) fn set_node(&mut self, pod: &str, node: Option<&str>) {
        let Some(node) = node else {
            self.nodes.0.remove(pod);
            return;
        };
        let mut hasher = DefaultHasher::new();
        node.hash(&mut hasher);
        self.nodes.0.insert(pod.to_owned(), hasher.finish());
        let Some(known) = self.pods.get_mut(pod) else {
            return;
        };
        known.number = self.nodes.place(pod, known.number);
        let (place, workers) = (known.number, known.workers.iter());
        let keys = workers.filter_map(|id| self.workers.get(id)?.key);
        for key in keys {
            self.schedule.set_pod(key, place);
        }
    }
}
