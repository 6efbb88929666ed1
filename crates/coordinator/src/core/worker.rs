//! Workers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use provost_proto::worker::WorkerType;
use provost_scheduler::{Pod, WorkerKey};

use super::kinds::{class, worker_kind};
use super::{Core, Hold, LinkId};
use crate::Millis;
use crate::events::Device;
use crate::ids::{ConnId, TaskId, WorkerId};
use crate::shards::ShardSize;

/// A registered worker.
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) kind: WorkerType,
    pub(crate) max_weight: u32,
    /// How many tasks it proves at once, if it says so.
    pub(crate) provers: Option<u32>,
    /// What it proves on, if that is a GPU.
    pub(crate) device: Option<Device>,
    /// The largest shards that it proves.
    pub(crate) shards: ShardSize,
    pub(crate) version: String,
    /// Whether its node may be taken away at short notice.
    pub(crate) spot: bool,
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
    /// It takes no more tasks, by the operator's word: its pod is on its way out, or its node is not ready.
    pub(super) cordoned: bool,
    /// It takes no more tasks, since there are faster ones: see [`Core::spare_slow`].
    pub(crate) spare: bool,
    /// Nothing was heard of it for too long to give it tasks.
    pub(crate) silent: bool,
    pub(crate) last_seen: Millis,
    pub(crate) last_beat_sent: Millis,
    pub(super) holds: BTreeMap<TaskId, Hold>,
    /// What the scheduler calls it.
    pub(super) key: Option<WorkerKey>,
    /// Tasks that it reported final lately: a heartbeat written before may still name them.
    pub(super) recent: VecDeque<(TaskId, Millis)>,
}

/// The registrations of a pod.
pub(super) struct Registrations {
    /// A pod that comes back has another.
    pub(super) number: Pod,
    pub(super) workers: BTreeSet<WorkerId>,
}

impl Worker {
    pub(crate) fn new(
        id: WorkerId,
        kind: WorkerType,
        max_weight: u32,
        shards: ShardSize,
        conn: ConnId,
        now: Millis,
    ) -> Self {
        Self {
            id,
            kind,
            max_weight,
            provers: None,
            device: None,
            shards,
            version: String::new(),
            spot: false,
            conn: Some(conn),
            link: None,
            unreported: false,
            broken_at: now,
            closed: false,
            retiring: false,
            cordoned: false,
            spare: false,
            silent: false,
            last_seen: now,
            last_beat_sent: now,
            holds: BTreeMap::new(),
            key: None,
            recent: VecDeque::new(),
        }
    }

    /// Whether it takes no more tasks, whoever said so.
    pub(crate) const fn is_leaving(&self) -> bool {
        self.closed || self.retiring || self.cordoned
    }

    /// Whether it takes tasks now.
    pub(crate) const fn is_available(&self) -> bool {
        self.conn.is_some() && !self.unreported && !self.is_leaving() && !self.silent
    }

    /// Whether the scheduler may give it tasks.
    pub(super) const fn takes_tasks(&self) -> bool {
        self.is_available() && !self.spare
    }

    /// Weight of everything that takes up room on it.
    pub(crate) fn used(&self) -> u64 {
        let holds = self.holds.values();
        holds.map(|hold| u64::from(hold.weight)).sum()
    }

    pub(crate) fn free(&self) -> u64 {
        u64::from(self.max_weight).saturating_sub(self.used())
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

    /// What it is to stop counts as said at `now`: it may not have heard it before.
    pub(crate) fn told_anew(&mut self, now: Millis) {
        for hold in self.holds.values_mut() {
            if let Some(Some(told)) = &mut hold.ended {
                *told = now;
            }
        }
    }

    pub(crate) fn finished_lately(&self, task: &str, since: Millis) -> bool {
        let mut recent = self.recent.iter();
        recent.any(|(id, at)| **id == *task && *at >= since)
    }

    /// What the scheduler has to know of it.
    const fn offer(&self) -> (bool, (u32, Option<u32>)) {
        (self.takes_tasks(), (self.max_weight, self.provers))
    }
}

/// Whether a worker of type `kind` runs tasks of class `of`.
pub(crate) const fn serves(kind: WorkerType, of: WorkerType) -> bool {
    match class(of) {
        Some(class) => worker_kind(kind).serves(class),
        None => false,
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
        let pod = self.pods.get(pod);
        let ids = pod.into_iter().flat_map(|pod| &pod.workers);
        ids.cloned().collect()
    }

    /// Cordons a pod, or ends that. Its workers get no tasks meanwhile; what they have goes on.
    pub(crate) fn cordon(&mut self, pod: &str, cordoned: bool) {
        let changed = match cordoned {
            true => self.cordoned.insert(pod.to_owned()),
            false => self.cordoned.remove(pod),
        };
        if changed {
            for id in self.workers_of(pod) {
                self.update_worker(&id, |w| w.cordoned = cordoned);
            }
        }
    }

    pub(crate) fn add_worker(&mut self, mut worker: Worker) {
        let id = worker.id.clone();
        worker.cordoned = self.cordoned.contains(id.pod());
        let (schedule, nodes) = (&mut self.schedule, &self.nodes);
        let pod = self.pods.entry(id.pod().to_owned());
        let pod = pod.or_insert_with(|| Registrations {
            number: nodes.place(id.pod(), schedule.number_pod()),
            workers: BTreeSet::new(),
        });
        pod.workers.insert(id.clone());
        let key = schedule.add_worker(&worker, pod.number);
        schedule.open(key, worker.takes_tasks());
        worker.key = Some(key);
        self.workers.insert(id, worker);
    }

    /// Forgets a worker; what it held is the caller's to see to.
    pub(crate) fn remove_worker(&mut self, id: &str) -> Option<Worker> {
        let worker = self.workers.remove(id)?;
        if let Some(key) = worker.key {
            self.schedule.remove_worker(key);
        }
        if let Some(pod) = self.pods.get_mut(worker.id.pod()) {
            pod.workers.remove(&worker.id);
            if pod.workers.is_empty() {
                self.pods.remove(worker.id.pod());
            }
        }
        Some(worker)
    }

    /// When a worker was heard last, or its process by whatever else it said.
    pub(crate) fn last_heard(&self, worker: &Worker) -> Millis {
        let link = worker.link.and_then(|link| self.link(link));
        link.map_or(0, |link| link.last_seen).max(worker.last_seen)
    }

    /// Nobody could be heard for a while: nobody was silent.
    pub(crate) fn excuse_silence(&mut self, now: Millis) {
        let joined = self.workers.values().filter(|w| w.conn.is_some());
        for id in joined.map(|w| w.id.clone()).collect::<Vec<_>>() {
            self.update_worker(&id, |w| {
                w.last_seen = now;
                w.silent = false;
                w.told_anew(now);
            });
        }
        for link in self.links.values_mut().filter(|l| l.conn.is_some()) {
            link.last_seen = now;
        }
    }

    /// Changes a worker, and tells the scheduler what it has to know of that.
    pub(crate) fn update_worker<R>(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Worker) -> R,
    ) -> Option<R> {
        let worker = self.workers.get_mut(id)?;
        let (was_open, had) = worker.offer();
        let result = change(worker);
        let (open, size) = worker.offer();
        if let Some(key) = worker.key {
            if open != was_open {
                self.schedule.open(key, open);
            }
            if size != had {
                self.schedule.resize(key, size.0, size.1);
            }
        }
        Some(result)
    }

    /// A worker registers as one of another type, or for shards of another size. What it has goes on.
    pub(crate) fn set_worker_kind(&mut self, id: &WorkerId, kind: WorkerType, shards: ShardSize) {
        let changed = |w: &&mut Worker| w.kind != kind || w.shards != shards;
        let Some(worker) = self.workers.get_mut(id).filter(changed) else {
            return;
        };
        (worker.kind, worker.shards) = (kind, shards);
        let pod = self.pods.get(id.pod()).map(|pod| pod.number);
        let (Some(old), Some(pod)) = (worker.key, pod) else {
            return;
        };
        self.schedule.remove_worker(old);
        let key = self.schedule.add_worker(worker, pod);
        self.schedule.open(key, worker.takes_tasks());
        worker.key = Some(key);
        self.move_holds(id, key);
    }
}
