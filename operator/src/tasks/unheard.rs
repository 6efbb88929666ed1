//! Deletions that no leader has heard of yet. Pure.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::state::TaskObject;

/// How long a deletion is kept for the next leader: longer than it takes until there is one. Most are the last leader's own, of tasks that are done.
const KEPT: Duration = Duration::from_secs(60);

/// The deletions.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    /// By the task.
    gone: HashMap<String, (Instant, TaskObject)>,
    /// Their tasks, the oldest first.
    order: VecDeque<(Instant, String)>,
}

impl Unheard {
    /// These objects were deleted.
    pub(super) fn note(&mut self, gone: Vec<TaskObject>, now: Instant) {
        for gone in gone {
            self.order.push_back((now, gone.task.clone()));
            self.gone.insert(gone.task.clone(), (now, gone));
        }
        while let Some((at, task)) = self.order.front()
            && now - *at > KEPT
        {
            if self.gone.get(task).is_some_and(|(noted, _)| noted == at) {
                self.gone.remove(task);
            }
            self.order.pop_front();
        }
    }

    /// The task has an object: if that is another one, a leader has heard of the deletion.
    pub(super) fn seen(&mut self, task: &str, uid: &str) {
        if self.gone.get(task).is_some_and(|(_, gone)| gone.uid != uid) {
            self.gone.remove(task);
        }
    }

    /// A leader hears of them.
    pub(super) fn take(&mut self) -> Vec<TaskObject> {
        self.order.clear();
        self.gone.drain().map(|(_, (_, gone))| gone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::ProofKey;

    fn gone(task: &str) -> Vec<TaskObject> {
        let proof = ProofKey {
            namespace: "ns".into(),
            name: "p".into(),
            uid: "u".into(),
        };
        let (uid, task) = (format!("uid-{task}"), task.to_owned());
        vec![TaskObject { uid, task, proof }]
    }

    #[test]
    fn what_is_recent_waits_for_a_leader_who_hears_of_it_once() {
        let (mut unheard, start) = (Unheard::default(), Instant::now());
        unheard.note(gone("old"), start);
        unheard.note(gone("new"), start + KEPT);
        unheard.note(Vec::new(), start + KEPT + Duration::from_secs(1));
        let tasks: Vec<_> = unheard.take().into_iter().map(|gone| gone.task).collect();
        assert_eq!(tasks, ["new"]);
        assert!(unheard.take().is_empty());
    }

    #[test]
    fn what_runs_again_already_is_not_told() {
        let (mut unheard, start) = (Unheard::default(), Instant::now());
        unheard.note(gone("t"), start);
        unheard.seen("t", "uid-t");
        unheard.note(gone("u"), start);
        unheard.seen("u", "another");
        let tasks: Vec<_> = unheard.take().into_iter().map(|gone| gone.task).collect();
        assert_eq!(tasks, ["t"]);
    }
}
