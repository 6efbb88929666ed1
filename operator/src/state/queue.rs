//! Which ProvingTask objects are behind, and the next write of each. Pure: time comes with the changes and as an argument.
//!
//! Only the newest state of a task counts: changes that come while a write waits or runs are folded into one. A task gets its
//! object once it has run for the persist horizon, with its state in it, and loses it when it is done: two writes, and none for a task
//! that ends before. What users and the next operator must see is written at once: how roots stand, and tasks that failed.
//!
//! A new leader adopts the objects that it finds. Those of tasks that turn up again stay, the others are deleted when all workers have
//! reported.

use std::collections::{BTreeSet, HashMap, VecDeque};

use foldhash::fast::RandomState;
use provost_coordinator::{TaskChange, TaskChangeKind, TaskId};

use super::entry::{Adopted, Entry};
use super::fresh::Fresh;
use super::object::TaskRecord;
use crate::key::ProofKey;
use crate::metrics::WriterState;

/// Wait before a task that found no room for its object is looked at again, in milliseconds. There may be ten thousand such.
const NO_ROOM_MS: i64 = 5_000;

/// How much is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// A task that ends within this many milliseconds of its assignment gets no object.
    pub(super) horizon_ms: i64,
    /// Most tasks of a proof that have an object at the same time, besides its root, those that failed, and those of which it has one.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Done {
    /// The object is as the job wanted it; its uid, unless the job was to delete it.
    Written(Option<String>),
    /// Somebody deleted the object.
    Vanished,
    /// The server will never take it: no more writes.
    Hopeless,
    /// To be tried again.
    Failed,
}

/// What there is to write, as a writer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outlook {
    waiting: usize,
    next_at: Option<i64>,
}

impl Outlook {
    /// Whether a writer that went to sleep on `before` should look again.
    pub(super) fn is_sooner_than(self, before: Self) -> bool {
        self.waiting > before.waiting
            || match (self.next_at, before.next_at) {
                (Some(now), Some(before)) => now < before,
                (now, None) => now.is_some(),
                (None, Some(_)) => false,
            }
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bounds: Bounds,
    /// Tasks that need no object yet; none of them has an entry.
    fresh: Fresh,
    /// Every change looks up its task a dozen times: as in the coordinator's tables, the hash is a fast one.
    entries: HashMap<TaskId, Entry, RandomState>,
    order: VecDeque<TaskId>,
    /// Tasks that wait for their horizon.
    young: BTreeSet<(i64, TaskId)>,
    /// Places taken by tasks of each proof, and by all.
    windows: HashMap<String, usize>,
    taken: usize,
    writing: usize,
    /// Tasks whose objects are behind, by the time since when.
    behind: BTreeSet<(i64, TaskId)>,
    coalesced: u64,
    /// Whether workers still tell a new leader what they run.
    recovering: bool,
    /// The latest time that was heard of.
    now: i64,
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
        self.now = self.now.max(change.at);
        if let TaskChangeKind::Created {
            weight,
            run,
            root: false,
        } = change.kind
            && !self.entries.contains_key(&change.task)
        {
            self.fresh.add(change, weight, run);
            return;
        }
        if self
            .fresh
            .follow(change, change.at + self.bounds.horizon_ms)
        {
            return;
        }
        for earlier in self.fresh.take_out(&change.task).into_iter().flatten() {
            self.follow(&earlier);
        }
        self.follow(change);
    }

    /// Follows a change of a task that is to have an object, or may have one.
    fn follow(&mut self, change: &TaskChange) {
        if let Some(record) = TaskRecord::new(change) {
            self.admit(change, record);
        }
        if self
            .entries
            .get(&change.task)
            .is_some_and(|e| e.queued || e.in_flight)
        {
            self.coalesced += 1;
        }
        self.update(&change.task, |entry| match change.kind {
            TaskChangeKind::Created { .. } => {
                entry.adopted = entry.adopted.map(|_| Adopted::Claimed);
            }
            TaskChangeKind::Dropped => entry.dropped = true,
            _ => {
                entry.adopted = None;
                entry.record.follow(change);
            }
        });
        self.schedule(change);
        self.settle(&change.task);
    }

    /// Takes over an object of an earlier leader. One that does not `go_on` is deleted; of the others that is decided by
    /// [`Queue::recovered`].
    pub(super) fn adopt(&mut self, record: TaskRecord, uid: Option<String>, goes_on: bool) {
        let task = TaskId::from(record.spec.task_id.as_str());
        if self.entries.contains_key(&task) || self.fresh.contains(&task) {
            return;
        }
        let blank = Entry::new(record, None);
        self.entries.insert(task.clone(), blank);
        self.update(&task, |entry| {
            entry.stored = Some(entry.record.status.clone());
            entry.uid = uid;
            entry.dropped = !goes_on;
            entry.adopted = goes_on.then_some(Adopted::Unclaimed);
        });
        self.settle(&task);
    }

    /// A term begins, and workers tell what they run.
    pub(super) const fn begin_term(&mut self) {
        self.recovering = true;
    }

    /// An object turns up that the last leader wrote after this one had looked. While workers report, its task may yet turn up as well.
    pub(super) fn found(&mut self, record: TaskRecord, uid: Option<String>) {
        self.adopt(record, uid, self.recovering);
    }

    /// All workers have reported: what was adopted and has not turned up is not there any more, and what nobody runs waits.
    pub(super) fn recovered(&mut self) {
        self.recovering = false;
        let adopted: Vec<TaskId> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.adopted.is_some())
            .map(|(task, _)| task.clone())
            .collect();
        for task in adopted {
            self.update(&task, |entry| match entry.adopted.take() {
                Some(Adopted::Unclaimed) => entry.dropped = true,
                _ => entry.record.let_go(),
            });
            self.settle(&task);
        }
    }

    /// The object of a root was made, with this uid: that is done elsewhere.
    pub(super) fn begun(&mut self, root: &TaskId, uid: String) {
        self.update(root, |entry| {
            if entry.stored.is_some() {
                entry.uid.get_or_insert(uid);
            }
        });
    }

    /// The objects that nobody is known to have deleted: by whom they are owned, their tasks, and their uids.
    pub(super) fn expected(&self) -> impl Iterator<Item = (&ProofKey, &TaskId, &str)> {
        self.entries
            .iter()
            .filter_map(|(task, entry)| Some((&entry.record.key, task, entry.expected()?)))
    }

    /// Somebody deleted the object with this uid: the task gets another when it runs again.
    pub(super) fn vanished(&mut self, task: &TaskId, uid: &str) {
        let mut lost = false;
        self.update(task, |entry| {
            entry.vanished = Some(uid.to_owned());
            entry.missed.take_if(|missed| missed == uid);
            lost = match &entry.uid {
                Some(known) => known == uid,
                // A root's, whose uid is not known yet.
                None => entry.stored.is_some(),
            };
            if lost {
                entry.lose_object();
            }
        });
        if lost {
            self.forget_due(task);
            self.settle(task);
        }
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

    /// Uid of a task's object, where it is known.
    pub(super) fn uid(&self, task: &TaskId) -> Option<String> {
        self.entries.get(task)?.uid.clone()
    }

    /// When [`Queue::next`] has more to give, if nothing else happens.
    pub(super) fn next_at(&self) -> Option<i64> {
        let young = self.young.first().map(|(due, _)| *due);
        self.fresh.next_at().into_iter().chain(young).min()
    }

    /// What a writer finds, and when.
    pub(super) fn outlook(&self) -> Outlook {
        Outlook {
            waiting: self.order.len(),
            next_at: self.next_at(),
        }
    }

    /// A write ended.
    pub(super) fn done(&mut self, task: &TaskId, job: Job, done: Done) {
        self.writing = self.writing.saturating_sub(1);
        let mut lost = false;
        self.update(task, |entry| {
            entry.in_flight = false;
            match (done, job) {
                (Done::Hopeless, _) | (Done::Written(_), Job::Delete(_)) => {
                    entry.lose_object();
                    entry.dropped = true;
                }
                (Done::Vanished, _) => {
                    entry.missed = entry
                        .uid
                        .take()
                        .filter(|uid| entry.vanished.as_ref() != Some(uid));
                    entry.lose_object();
                    lost = true;
                }
                (Done::Written(uid), Job::Create(record) | Job::Patch(record)) => {
                    // Its deletion may be known before the answer of its last write.
                    lost = uid.is_some() && uid == entry.vanished;
                    entry.perhaps = false;
                    if !lost {
                        entry.missed = None;
                        entry.stored = Some(record.status);
                        entry.uid = uid;
                    }
                }
                // The answer was lost: it may be there.
                (Done::Failed, Job::Create(_)) => entry.perhaps = true,
                (Done::Failed, _) => {}
            }
        });
        if lost {
            self.forget_due(task);
        }
        self.settle(task);
    }

    /// How far the objects are.
    pub(super) fn state(&self) -> WriterState {
        WriterState {
            waiting: self.order.len() + self.writing,
            oldest: self.behind.first().map(|(since, _)| *since),
            objects: self.taken,
            coalesced: self.coalesced,
        }
    }

    /// A root has its object before anything else happens to it: see `begin.rs`.
    fn admit(&mut self, change: &TaskChange, record: TaskRecord) {
        let stored = record.spec.root.then(|| record.status.clone());
        self.entries
            .entry(change.task.clone())
            .or_insert_with(|| Entry::new(record, stored));
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

    /// Queues the tasks whose horizon has passed, as far as the window has room. What finds none is looked at again later, if it still runs.
    fn ripen(&mut self, now: i64) {
        self.now = self.now.max(now);
        while let Some(changes) = self.fresh.ripe(self.now) {
            for change in changes {
                self.follow(&change);
            }
        }
        while let Some((due, task)) = self.young.first().cloned() {
            if due > self.now {
                return;
            }
            self.young.pop_first();
            if self.has_room(&task) {
                self.push(&task);
                self.date(&task);
            } else if let Some(entry) = self.entries.get_mut(&task) {
                let later = self.now + NO_ROOM_MS;
                entry.due = Some(later);
                self.young.insert((later, task));
            }
        }
    }

    fn has_room(&self, task: &TaskId) -> bool {
        let Some(entry) = self.entries.get(task) else {
            return false;
        };
        if entry.single {
            return true;
        }
        let window = self.windows.get(&entry.record.key.proof_id());
        self.taken < self.bounds.total
            && window.copied().unwrap_or_default() < self.bounds.per_proof
    }

    fn settle(&mut self, task: &TaskId) {
        self.arrange(task);
        self.date(task);
    }

    /// Notes since when the object is behind.
    fn date(&mut self, task: &TaskId) {
        let Some(entry) = self.entries.get_mut(task) else {
            return;
        };
        let behind = entry.queued || entry.in_flight;
        match (behind, entry.since) {
            (true, None) => {
                entry.since = Some(self.now);
                self.behind.insert((self.now, task.clone()));
            }
            (false, Some(since)) => {
                entry.since = None;
                self.behind.remove(&(since, task.clone()));
            }
            _ => {}
        }
    }

    /// Queues what is behind and forgets what is settled for good.
    fn arrange(&mut self, task: &TaskId) {
        let Some(entry) = self.entries.get(task) else {
            return;
        };
        if entry.in_flight || entry.queued {
            return;
        }
        if entry.stored.is_none() && !(entry.perhaps && entry.leaves()) {
            let due = entry.due.filter(|_| !entry.leaves());
            let urgent = entry.record.status.failure_class.is_some();
            match due {
                None if entry.leaves() || entry.record.ended() => self.forget(task),
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

    fn forget_due(&mut self, task: &TaskId) {
        if let Some(entry) = self.entries.get_mut(task)
            && let Some(due) = entry.due.take()
        {
            self.young.remove(&(due, task.clone()));
        }
    }

    fn forget(&mut self, task: &TaskId) {
        self.forget_due(task);
        if let Some(since) = self.entries.get(task).and_then(|entry| entry.since) {
            self.behind.remove(&(since, task.clone()));
        }
        self.update(task, |entry| {
            (entry.stored, entry.in_flight, entry.queued) = (None, false, false);
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
