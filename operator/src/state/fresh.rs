//! Tasks that have no object and need none yet. Most end before they do, so little is kept of one: a record with all its texts is made when there
//! is to be an object. Pure.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use provost_coordinator::{ProofId, TaskChange, TaskChangeKind, TaskId, WorkerId};
use provost_proto::worker::TaskType;

/// So many of those that ended may be in the order before they are looked for.
const SLACK: usize = 1024;

/// The tasks.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    tasks: HashMap<TaskId, Known, RandomState>,
    /// Tasks that run, by when they are due, and since each is given as long, in the order of their assignments. Some have ended since.
    due: VecDeque<(i64, TaskId)>,
}

/// What was told of a task.
#[derive(Debug)]
struct Known {
    proof: ProofId,
    task_type: TaskType,
    created_at: i64,
    weight: u32,
    run: u32,
    assigned: Option<Assigned>,
}

#[derive(Debug)]
struct Assigned {
    at: i64,
    worker: WorkerId,
    attempt: u32,
    due: i64,
}

impl Fresh {
    pub(super) fn contains(&self, task: &TaskId) -> bool {
        self.tasks.contains_key(task)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.due.is_empty()
    }

    /// Takes in a task that has just been created and is no root.
    pub(super) fn add(&mut self, change: &TaskChange, weight: u32, run: u32) {
        let known = || Known {
            proof: change.proof.clone(),
            task_type: change.task_type,
            created_at: change.at,
            weight,
            run,
            assigned: None,
        };
        self.tasks.entry(change.task.clone()).or_insert_with(known);
    }

    /// Follows a change of a task that is one of these: whether that was all there is to do. If not, it is to be taken out. One that is assigned is
    /// due at `due`, or with the last before it if that is later.
    pub(super) fn follow(&mut self, change: &TaskChange, due: i64) -> bool {
        match &change.kind {
            TaskChangeKind::Assigned { worker, attempt } => {
                let Some(known) = self.tasks.get_mut(&change.task) else {
                    return false;
                };
                if known.assigned.is_some() {
                    return false;
                }
                let due = self.due.back().map_or(due, |(last, _)| due.max(*last));
                known.assigned = Some(Assigned {
                    at: change.at,
                    worker: worker.clone(),
                    attempt: *attempt,
                    due,
                });
                self.due.push_back((due, change.task.clone()));
                true
            }
            TaskChangeKind::Succeeded { .. } | TaskChangeKind::Dropped => {
                self.remove(&change.task).is_some()
            }
            TaskChangeKind::Created { .. }
            | TaskChangeKind::Requeued { .. }
            | TaskChangeKind::Recalled
            | TaskChangeKind::Failed(_) => false,
        }
    }

    /// When the next one is due.
    pub(super) fn next_at(&self) -> Option<i64> {
        self.due.front().map(|(due, _)| *due)
    }

    /// Takes out one that is due at `now`, as it was told of.
    pub(super) fn ripe(&mut self, now: i64) -> Option<Vec<TaskChange>> {
        let (_, task) = self.due.front().filter(|(due, _)| *due <= now)?;
        let task = task.clone();
        self.take_out(&task)
    }

    /// Takes out a task, as it was told of.
    pub(super) fn take_out(&mut self, task: &TaskId) -> Option<Vec<TaskChange>> {
        let known = self.remove(task)?;
        let change = |at, kind| TaskChange {
            proof: known.proof.clone(),
            task: task.clone(),
            task_type: known.task_type,
            at,
            kind,
        };
        let created = TaskChangeKind::Created {
            weight: known.weight,
            root: false,
            run: known.run,
        };
        let assigned = known.assigned.as_ref().map(|assigned| {
            let kind = TaskChangeKind::Assigned {
                worker: assigned.worker.clone(),
                attempt: assigned.attempt,
            };
            change(assigned.at, kind)
        });
        let created = change(known.created_at, created);
        Some([created].into_iter().chain(assigned).collect())
    }

    fn remove(&mut self, task: &TaskId) -> Option<Known> {
        let known = self.tasks.remove(task)?;
        // The first in the order is always one that runs: who waits for it would wake up for nothing.
        if self.due.front().is_some_and(|(_, first)| first == task) {
            self.due.pop_front();
            while self.due.front().is_some_and(|due| !self.is_due(due)) {
                self.due.pop_front();
            }
        }
        // Behind one that runs for long many may have ended.
        if self.due.len() > 2 * self.tasks.len() + SLACK {
            let mut due = std::mem::take(&mut self.due);
            due.retain(|due| self.is_due(due));
            self.due = due;
        }
        Some(known)
    }

    fn is_due(&self, (due, task): &(i64, TaskId)) -> bool {
        let known = self.tasks.get(task);
        let assigned = known.and_then(|known| known.assigned.as_ref());
        assigned.is_some_and(|assigned| assigned.due == *due)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::object::tests::{assigned, change, created, requeued};
    use super::*;

    const HORIZON: i64 = 500;

    fn tell(fresh: &mut Fresh, task: &str, at: i64, kind: TaskChangeKind) -> bool {
        let mut change = change(task, kind);
        change.at = at;
        match change.kind {
            TaskChangeKind::Created { weight, run, .. } => {
                fresh.add(&change, weight, run);
                true
            }
            _ => fresh.follow(&change, at + HORIZON),
        }
    }

    fn succeeded() -> TaskChangeKind {
        TaskChangeKind::Succeeded {
            metadata: String::new(),
            gpu_ms: 0,
        }
    }

    #[test]
    fn the_first_in_the_order_is_always_one_that_runs() {
        let mut fresh = Fresh::default();
        for (at, task) in [(1, "a"), (2, "b"), (3, "c")] {
            assert!(tell(&mut fresh, task, at, created(false)));
            assert!(tell(&mut fresh, task, at, assigned()));
        }
        assert!(tell(&mut fresh, "b", 4, succeeded()));
        assert_eq!(fresh.next_at(), Some(1 + HORIZON));
        // The same task once more: what it was due for before does not count.
        assert!(tell(&mut fresh, "b", 5, created(false)));
        assert!(tell(&mut fresh, "b", 5, assigned()));
        assert!(tell(&mut fresh, "a", 6, TaskChangeKind::Dropped));
        assert_eq!(fresh.next_at(), Some(3 + HORIZON));
        assert!(tell(&mut fresh, "c", 7, succeeded()));
        assert_eq!(fresh.next_at(), Some(5 + HORIZON));
        assert!(tell(&mut fresh, "b", 8, succeeded()));
        assert!(fresh.is_empty());
        assert!(!tell(&mut fresh, "b", 9, succeeded()), "nobody knows it");
    }

    #[test]
    fn what_is_taken_out_is_all_that_was_told() {
        let mut fresh = Fresh::default();
        let told = [(1, created(false)), (2, assigned())].map(|(at, kind)| {
            assert!(tell(&mut fresh, "a", at, kind.clone()));
            TaskChange {
                at,
                ..change("a", kind)
            }
        });
        assert!(!tell(&mut fresh, "a", 3, requeued()), "it needs an object");
        assert!(!tell(&mut fresh, "a", 3, assigned()), "it has a worker");
        assert!(fresh.ripe(1 + HORIZON).is_none());
        assert_eq!(fresh.ripe(2 + HORIZON), Some(told.to_vec()));
        assert!(fresh.is_empty());
        assert!(tell(&mut fresh, "b", 4, created(false)));
        assert!(fresh.contains(&"b".into()) && fresh.ripe(i64::MAX).is_none());
        assert_eq!(fresh.take_out(&"b".into()).unwrap().len(), 1);
    }

    #[test]
    fn many_that_ended_behind_one_that_runs_are_forgotten() {
        let mut fresh = Fresh::default();
        for task in std::iter::once("first".to_owned()).chain((0..5000).map(|n| n.to_string())) {
            assert!(tell(&mut fresh, &task, 1, created(false)));
            assert!(tell(&mut fresh, &task, 1, assigned()));
            if task != "first" {
                assert!(tell(&mut fresh, &task, 1, succeeded()));
            }
        }
        assert!(fresh.due.len() <= SLACK + 3, "{}", fresh.due.len());
        assert_eq!(fresh.next_at(), Some(1 + HORIZON));
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_the_order() {
        let mut fresh = Fresh::default();
        for (at, task) in [(9, "a"), (1, "b")] {
            tell(&mut fresh, task, at, created(false));
            assert!(tell(&mut fresh, task, at, assigned()));
        }
        assert!(tell(&mut fresh, "a", 10, succeeded()));
        assert_eq!(fresh.next_at(), Some(9 + HORIZON));
    }
}
