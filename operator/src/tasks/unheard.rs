//! Deletions that no leader has heard of yet. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::state::TaskObject;

/// How long a deletion is kept for the next leader: longer than it takes until there is one. Most are the last leader's own, of tasks that are done.
const KEPT: Duration = Duration::from_secs(60);

/// The deletions, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Unheard(VecDeque<(Instant, TaskObject)>);

impl Unheard {
    /// These objects were deleted.
    pub(super) fn note(&mut self, gone: Vec<TaskObject>, now: Instant) {
        self.0.extend(gone.into_iter().map(|gone| (now, gone)));
        while self.0.front().is_some_and(|(at, _)| now - *at > KEPT) {
            self.0.pop_front();
        }
    }

    /// A leader hears of them.
    pub(super) fn take(&mut self) -> impl Iterator<Item = TaskObject> {
        self.0.drain(..).map(|(_, gone)| gone)
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
        let tasks: Vec<_> = unheard.take().map(|gone| gone.task).collect();
        assert_eq!(tasks, ["new"]);
        assert_eq!(unheard.take().count(), 0);
    }
}
