//! Which ProvingTask objects are behind, and the next write of each. Pure: time comes with the changes and as an argument.
//!
//! Only the newest state of a task counts: changes that come while a write waits or runs are folded into one. A task gets its
//! object once it has run for the persist horizon, with its state in it, and loses it when it is done: two writes, and none for a task
//! that ends before. What users and the next operator must see is written at once: how roots stand, and tasks that failed.

use std::collections::{BTreeSet, HashMap, VecDeque};

use provost_coordinator::{TaskChange, TaskChangeKind, TaskId};
use provost_crds::{ProvingTaskStatus, TaskState};

use super::object::TaskRecord;

/// How much is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// A task that ends within this many milliseconds of its assignment gets no object.
    pub(super) horizon_ms: i64,
    /// Most tasks of a proof that have an object at the same time, besides its root and those that failed.
    pub(super) per_proof: usize,
    /// The same for all proofs together.
    pub(super) total: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            horizon_ms: 500,
            per_proof: 200,
            total: 2000,
        }
    }
}

/// A write.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Job {
    /// Create the object, its status included.
    Create(TaskRecord),
    /// Write its status.
    Patch(TaskRecord),
    /// Delete it.
    Delete(TaskRecord),
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// The object is as the job wanted it.
    Written,
    /// The object or its owner is gone, or the server will never take it: no more writes.
    Hopeless,
    /// To be tried again.
    Failed,
}

#[derive(Debug)]
struct Entry {
    record: TaskRecord,
    /// Status of the object, once it exists.
    stored: Option<ProvingTaskStatus>,
    /// When the object is to be there at the latest; `None` for a task that gets none yet.
    due: Option<i64>,
    dropped: bool,
    queued: bool,
    in_flight: bool,
}

impl Entry {
    /// Whether the object is to be away: the task is done or not needed. Failed ones stay, for people.
    fn leaves(&self) -> bool {
        self.dropped || self.record.status.state == TaskState::Succeeded
    }

    /// Whether it takes a place of the window.
    fn counts(&self) -> bool {
        !self.record.spec.root && (self.stored.is_some() || self.in_flight || self.queued)
    }

    fn behind(&self) -> bool {
        if self.leaves() {
            self.stored.is_some()
        } else {
            self.stored.as_ref() != Some(&self.record.status)
        }
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bounds: Bounds,
    entries: HashMap<TaskId, Entry>,
    order: VecDeque<TaskId>,
    /// Tasks that wait for their horizon.
    young: BTreeSet<(i64, TaskId)>,
    /// Places taken by tasks of each proof, and by all.
    windows: HashMap<String, usize>,
    taken: usize,
    writing: usize,
}

impl Queue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            ..Self::default()
        }
    }

    /// Notes a change.
    pub(super) fn record(&mut self, change: &TaskChange) {
        if let Some(record) = TaskRecord::new(change) {
            self.admit(change, record);
        }
        self.update(&change.task, |entry| match change.kind {
            TaskChangeKind::Dropped => entry.dropped = true,
            _ => entry.record.follow(change),
        });
        self.schedule(change);
        self.settle(&change.task);
    }

    /// Whether [`Queue::next`] may have something to give at `now`.
    pub(super) fn is_behind(&mut self, now: i64) -> bool {
        self.ripen(now);
        !self.order.is_empty()
    }

    /// The next write at `now`; the same task comes again only after [`Queue::done`].
    pub(super) fn next(&mut self, now: i64) -> Option<(TaskId, Job)> {
        self.ripen(now);
        while let Some(task) = self.order.pop_front() {
            let mut job = None;
            self.update(&task, |entry| {
                entry.queued = false;
                if !entry.behind() {
                    return;
                }
                entry.in_flight = true;
                let record = entry.record.clone();
                job = Some(match &entry.stored {
                    _ if entry.leaves() => Job::Delete(record),
                    None => Job::Create(record),
                    Some(_) => Job::Patch(record),
                });
            });
            match job {
                Some(job) => {
                    self.writing += 1;
                    return Some((task, job));
                }
                None => self.settle(&task),
            }
        }
        None
    }

    /// When [`Queue::next`] has more to give, if nothing else happens.
    pub(super) fn next_at(&self) -> Option<i64> {
        self.young.first().map(|(due, _)| *due)
    }

    /// A write ended.
    pub(super) fn done(&mut self, task: &TaskId, job: Job, done: Done) {
        self.writing = self.writing.saturating_sub(1);
        self.update(task, |entry| {
            entry.in_flight = false;
            match (done, job) {
                (Done::Hopeless, _) | (Done::Written, Job::Delete(_)) => {
                    entry.stored = None;
                    entry.dropped = true;
                }
                (Done::Written, Job::Create(record) | Job::Patch(record)) => {
                    entry.stored = Some(record.status)
                }
                (Done::Failed, _) => {}
            }
        });
        self.settle(task);
    }

    /// Number of tasks whose objects are behind.
    pub(super) fn behind(&self) -> usize {
        self.order.len() + self.writing
    }

    /// Number of tasks that have an object or are about to, roots left out.
    pub(super) const fn objects(&self) -> usize {
        self.taken
    }

    /// A root has its object before anything else happens to it: see `begin.rs`.
    fn admit(&mut self, change: &TaskChange, record: TaskRecord) {
        let stored = record.spec.root.then(|| record.status.clone());
        self.entries
            .entry(change.task.clone())
            .or_insert_with(|| Entry {
                record,
                stored,
                due: None,
                dropped: false,
                queued: false,
                in_flight: false,
            });
    }

    /// Decides when a task without an object gets one.
    fn schedule(&mut self, change: &TaskChange) {
        let Some(entry) = self.entries.get_mut(&change.task) else {
            return;
        };
        let due = match &change.kind {
            TaskChangeKind::Requeued { .. } | TaskChangeKind::Failed(_) => change.at,
            TaskChangeKind::Assigned { .. } if entry.due.is_none() => {
                change.at + self.bounds.horizon_ms
            }
            _ => return,
        };
        if let Some(old) = entry.due.replace(due) {
            self.young.remove(&(old, change.task.clone()));
        }
    }

    /// Queues the tasks whose horizon has passed, as far as the window has room. What finds none gets no object, unless it fails.
    fn ripen(&mut self, now: i64) {
        while let Some((due, task)) = self.young.first().cloned() {
            if due > now {
                return;
            }
            self.young.pop_first();
            if self.has_room(&task) {
                self.push(&task);
            } else if let Some(entry) = self.entries.get_mut(&task) {
                entry.due = None;
            }
        }
    }

    fn has_room(&self, task: &TaskId) -> bool {
        let Some(entry) = self.entries.get(task) else {
            return false;
        };
        let window = self.windows.get(&entry.record.key.proof_id());
        self.taken < self.bounds.total
            && window.copied().unwrap_or_default() < self.bounds.per_proof
    }

    /// Queues what is behind and forgets what is settled for good.
    fn settle(&mut self, task: &TaskId) {
        let Some(entry) = self.entries.get(task) else {
            return;
        };
        if entry.in_flight || entry.queued {
            return;
        }
        if entry.stored.is_none() {
            let due = entry.due.filter(|_| !entry.leaves());
            let urgent = entry.record.status.failure_class.is_some();
            match due {
                None if entry.leaves() => self.forget(task),
                None => {}
                Some(_) if urgent => self.push(task),
                Some(due) => {
                    self.young.insert((due, task.clone()));
                }
            }
        } else if entry.behind() {
            self.push(task);
        } else if entry.record.ended() {
            self.forget(task);
        }
    }

    fn push(&mut self, task: &TaskId) {
        let mut root = false;
        let mut fresh = false;
        self.update(task, |entry| {
            root = entry.record.spec.root;
            fresh = !std::mem::replace(&mut entry.queued, true);
        });
        match (fresh, root) {
            (false, _) => {}
            (true, true) => self.order.push_front(task.clone()),
            (true, false) => self.order.push_back(task.clone()),
        }
    }

    fn forget(&mut self, task: &TaskId) {
        if let Some(entry) = self.entries.get(task)
            && let Some(due) = entry.due
        {
            self.young.remove(&(due, task.clone()));
        }
        self.update(task, |entry| {
            (entry.stored, entry.in_flight, entry.queued) = (None, false, false)
        });
        self.entries.remove(task);
    }

    /// Changes an entry, and with it the places that are taken.
    fn update(&mut self, task: &TaskId, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get_mut(task) else {
            return;
        };
        let before = entry.counts();
        change(entry);
        let after = entry.counts();
        if before == after {
            return;
        }
        let proof = entry.record.key.proof_id();
        let window = self.windows.entry(proof.clone()).or_default();
        if after {
            *window += 1;
            self.taken += 1;
        } else {
            *window = window.saturating_sub(1);
            self.taken = self.taken.saturating_sub(1);
            if *window == 0 {
                self.windows.remove(&proof);
            }
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
