//! Workers, and what they hold.

use std::collections::{BTreeMap, VecDeque};

use provost_proto::worker::{TaskType, WorkerType};

use super::{Core, LinkId};
use crate::Millis;
use crate::ids::{ConnId, ProofId, TaskId, WorkerId};

/// How many finished tasks a worker is remembered for.
const MAX_RECENT: usize = 256;

/// A registered worker.
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) kind: WorkerType,
    pub(crate) max_weight: u32,
    pub(crate) version: String,
    pub(crate) since: Millis,
    /// The stream that it listens on.
    pub(crate) conn: Option<ConnId>,
    /// Its process, if that is joined by the native door.
    pub(crate) link: Option<LinkId>,
    /// Its process has yet to say what it runs. Before that it gets nothing.
    pub(crate) unreported: bool,
    /// When that stream broke, if there is none.
    pub(crate) broken_at: Millis,
    /// It takes no more tasks, by its own word.
    pub(crate) closed: bool,
    /// It takes no more tasks, by ours: its pod is to be replaced.
    pub(crate) retiring: bool,
    /// Nothing was heard of it for too long to give it tasks.
    pub(crate) silent: bool,
    pub(crate) last_seen: Millis,
    pub(crate) last_beat_sent: Millis,
    holds: BTreeMap<TaskId, Hold>,
    used: u64,
    /// Weight of the Controllers among the holds.
    controllers: u64,
    /// Tasks that it reported final lately: a heartbeat written before may still name them.
    recent: VecDeque<(TaskId, Millis)>,
}

/// A task that takes up room on a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) proof: ProofId,
    pub(crate) kind: TaskType,
    pub(crate) weight: u32,
    /// Which attempt at the task it is.
    pub(crate) attempt: u32,
    /// When it was last sent there.
    pub(crate) sent_at: Millis,
    /// How often it was sent again.
    pub(crate) resends: u32,
    /// Set once the worker should let go of it: when it was told so, or `None` if it lets go by itself.
    pub(crate) ended: Option<Option<Millis>>,
}

impl Hold {
    pub(crate) const fn is_live(&self) -> bool {
        self.ended.is_none()
    }
}

impl Worker {
    pub(crate) fn new(
        id: WorkerId,
        kind: WorkerType,
        max_weight: u32,
        conn: ConnId,
        now: Millis,
    ) -> Self {
        Self {
            id,
            kind,
            max_weight,
            version: String::new(),
            since: now,
            conn: Some(conn),
            link: None,
            unreported: false,
            broken_at: now,
            closed: false,
            retiring: false,
            silent: false,
            last_seen: now,
            last_beat_sent: now,
            holds: BTreeMap::new(),
            used: 0,
            controllers: 0,
            recent: VecDeque::new(),
        }
    }

    /// Whether it takes tasks now.
    pub(crate) const fn is_available(&self) -> bool {
        self.conn.is_some() && !self.unreported && !self.closed && !self.retiring && !self.silent
    }

    /// Weight of everything that takes up room on it.
    pub(crate) const fn used(&self) -> u64 {
        self.used
    }

    pub(crate) fn free(&self) -> u64 {
        u64::from(self.max_weight).saturating_sub(self.used)
    }

    /// What it could give at most to one task, once all but its Controllers is done.
    pub(crate) fn room(&self) -> u64 {
        u64::from(self.max_weight).saturating_sub(self.controllers)
    }

    pub(crate) fn holds(&self) -> &BTreeMap<TaskId, Hold> {
        &self.holds
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = (&TaskId, &Hold)> {
        self.holds.iter().filter(|(_, hold)| hold.is_live())
    }

    /// A hold's own fields, weight and type excepted.
    pub(crate) fn hold_mut(&mut self, task: &str) -> Option<&mut Hold> {
        self.holds.get_mut(task)
    }

    pub(crate) fn finished_lately(&self, task: &str, since: Millis) -> bool {
        let mut recent = self.recent.iter();
        recent.any(|(id, at)| **id == *task && *at >= since)
    }

    /// The index entry: what it has free, if it takes tasks.
    fn slot(&self) -> Option<(WorkerType, u64)> {
        self.is_available().then(|| (self.kind, self.free()))
    }

    fn put(&mut self, task: TaskId, hold: Hold) {
        self.take(&task);
        self.used += u64::from(hold.weight);
        if hold.kind == TaskType::Controller {
            self.controllers += u64::from(hold.weight);
        }
        self.holds.insert(task, hold);
    }

    fn take(&mut self, task: &str) -> Option<Hold> {
        let hold = self.holds.remove(task)?;
        self.used -= u64::from(hold.weight);
        if hold.kind == TaskType::Controller {
            self.controllers -= u64::from(hold.weight);
        }
        Some(hold)
    }
}

impl Core {
    pub(crate) fn worker(&self, id: &str) -> Option<&Worker> {
        self.workers.get(id)
    }

    pub(crate) fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.values()
    }

    /// The registrations of a pod.
    pub(crate) fn workers_of(&self, pod: &str) -> Vec<WorkerId> {
        let set = self.pods.get(pod);
        set.into_iter().flatten().cloned().collect()
    }

    pub(crate) fn add_worker(&mut self, worker: Worker) {
        let id = worker.id.clone();
        if let Some((kind, free)) = worker.slot() {
            self.fleet.insert(kind, free, &id);
            self.wake = true;
        }
        self.pods
            .entry(id.pod().to_owned())
            .or_default()
            .insert(id.clone());
        self.workers.insert(id, worker);
    }

    /// Forgets a worker; what it held is the caller's to see to.
    pub(crate) fn remove_worker(&mut self, id: &str) -> Option<Worker> {
        let worker = self.workers.remove(id)?;
        if let Some((kind, free)) = worker.slot() {
            self.fleet.remove(kind, free, &worker.id);
        }
        if let Some(set) = self.pods.get_mut(worker.id.pod()) {
            set.remove(&worker.id);
            if set.is_empty() {
                self.pods.remove(worker.id.pod());
            }
        }
        Some(worker)
    }

    /// Changes a worker and keeps the index of free workers right.
    pub(crate) fn update_worker<R>(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Worker) -> R,
    ) -> Option<R> {
        let worker = self.workers.get_mut(id)?;
        let before = worker.slot();
        let result = change(worker);
        let after = worker.slot();
        if before != after {
            if let Some((kind, free)) = before {
                self.fleet.remove(kind, free, &worker.id);
            }
            if let Some((kind, free)) = after {
                self.fleet.insert(kind, free, &worker.id);
                self.wake |= before.is_none_or(|(_, had)| free > had);
            }
        }
        Some(result)
    }

    /// Puts a task on a worker: it takes up room from now on.
    pub(crate) fn hold(&mut self, worker: &str, task: &TaskId, hold: Hold) {
        self.update_worker(worker, |w| w.put(task.clone(), hold));
    }

    /// The worker let go of a task.
    pub(crate) fn release(&mut self, worker: &str, task: &str) -> Option<Hold> {
        self.update_worker(worker, |w| w.take(task)).flatten()
    }

    /// The worker says itself that it is done with a task: it lets go of it now, though a heartbeat on its way may still name it.
    pub(crate) fn release_finished(&mut self, worker: &str, task: &TaskId, now: Millis) -> bool {
        let held = self.update_worker(worker, |w| {
            let held = w.take(task).is_some();
            if held {
                w.recent.push_back((task.clone(), now));
                if w.recent.len() > MAX_RECENT {
                    w.recent.pop_front();
                }
            }
            held
        });
        held.unwrap_or(false)
    }
}
