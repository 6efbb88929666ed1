//! Which ProvingTask objects are behind, and the next write of each. Pure.
//!
//! Only the newest state of a task counts: changes that come while a write waits or runs are folded into one.

use std::collections::{HashMap, VecDeque};

use provost_coordinator::{TaskChange, TaskChangeKind, TaskId};
use provost_crds::ProvingTaskStatus;

use super::object::TaskRecord;

/// Most tasks of a proof that get an object, besides its root: the rest is only counted in the ProofRequest's status.
const MAX_PER_PROOF: usize = 200;
/// Most tasks whose objects may be behind, besides roots: new ones beyond get no object.
const MAX_BEHIND: usize = 2000;

/// A write.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Job {
    /// Create the object, then write its status if it is not the default.
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
    dropped: bool,
    queued: bool,
    in_flight: bool,
}

impl Entry {
    fn behind(&self) -> bool {
        self.dropped || self.stored.as_ref() != Some(&self.record.status)
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: HashMap<TaskId, Entry>,
    order: VecDeque<TaskId>,
    objects: HashMap<String, usize>,
}

impl Queue {
    /// Notes a change.
    pub(super) fn record(&mut self, change: &TaskChange) {
        if !self.entries.contains_key(&change.task) {
            self.admit(change);
        } else if let Some(entry) = self.entries.get_mut(&change.task) {
            match change.kind {
                TaskChangeKind::Dropped => entry.dropped = true,
                _ => entry.record.follow(change),
            }
        }
        self.settle(&change.task);
    }

    /// The next write; the same task comes again only after [`Queue::done`].
    pub(super) fn next(&mut self) -> Option<(TaskId, Job)> {
        while let Some(task) = self.order.pop_front() {
            let Some(entry) = self.entries.get_mut(&task) else {
                continue;
            };
            entry.queued = false;
            entry.in_flight = true;
            let record = entry.record.clone();
            let job = match &entry.stored {
                _ if entry.dropped => Job::Delete(record),
                None => Job::Create(record),
                Some(_) => Job::Patch(record),
            };
            return Some((task, job));
        }
        None
    }

    /// A write ended.
    pub(super) fn done(&mut self, task: &TaskId, job: Job, done: Done) {
        let Some(entry) = self.entries.get_mut(task) else {
            return;
        };
        entry.in_flight = false;
        match (done, job) {
            (Done::Hopeless, _) | (Done::Written, Job::Delete(_)) => self.forget(task),
            (Done::Written, Job::Create(record) | Job::Patch(record)) => {
                entry.stored = Some(record.status)
            }
            (Done::Failed, _) => {}
        }
        self.settle(task);
    }

    /// Number of tasks whose objects are behind.
    pub(super) fn behind(&self) -> usize {
        self.entries
            .values()
            .filter(|entry| entry.queued || entry.in_flight)
            .count()
    }

    /// Keys of the proofs that have entries.
    #[cfg(test)]
    fn proofs(&self) -> Vec<String> {
        self.entries
            .values()
            .map(|entry| entry.record.key.proof_id())
            .collect()
    }

    fn admit(&mut self, change: &TaskChange) {
        let Some(record) = TaskRecord::new(change) else {
            return;
        };
        let count = self.objects.entry(change.proof.to_string()).or_default();
        if !record.spec.root && (*count >= MAX_PER_PROOF || self.order.len() >= MAX_BEHIND) {
            return;
        }
        *count += 1;
        let entry = Entry {
            record,
            stored: None,
            dropped: false,
            queued: false,
            in_flight: false,
        };
        self.entries.insert(change.task.clone(), entry);
    }

    /// Queues what is behind and forgets what is settled for good.
    fn settle(&mut self, task: &TaskId) {
        let Some(entry) = self.entries.get_mut(task) else {
            return;
        };
        if entry.in_flight || entry.queued {
            return;
        }
        if entry.dropped && entry.stored.is_none() {
            self.forget(task);
        } else if entry.behind() {
            entry.queued = true;
            if entry.record.spec.root {
                self.order.push_front(task.clone());
            } else {
                self.order.push_back(task.clone());
            }
        } else if entry.record.ended() {
            self.forget(task);
        }
    }

    fn forget(&mut self, task: &TaskId) {
        let Some(entry) = self.entries.remove(task) else {
            return;
        };
        if entry.record.spec.root {
            self.objects.remove(&entry.record.key.proof_id());
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
