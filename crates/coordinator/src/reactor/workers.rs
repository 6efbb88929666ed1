//! Events of workers: they come, leave, and are lost.

use provost_proto::worker::{TaskType, WorkerType};

use super::Reactor;
use super::links::APART;
use crate::core::{LinkId, Worker, is_unit};
use crate::events::{Device, WorkerEvent};
use crate::failure::Loss;
use crate::ids::{ConnId, TaskId, WorkerId};
use crate::refusal::Refusal;
use crate::shards::ShardSize;

/// A worker that opens a stream.
pub(crate) struct Opened {
    pub(crate) id: WorkerId,
    pub(crate) kind: WorkerType,
    pub(crate) max_weight: u32,
    /// How many tasks it proves at once, if it says so.
    pub(crate) provers: Option<u32>,
    pub(crate) device: Option<Device>,
    /// The largest shards that it proves.
    pub(crate) shards: ShardSize,
    pub(crate) version: String,
    pub(crate) conn: ConnId,
    /// Its process, if that is joined by the native door.
    pub(crate) link: Option<LinkId>,
}

impl Reactor<'_> {
    /// A worker registers, or comes back on a new stream with all that it holds.
    pub(crate) fn worker_opened(&mut self, opened: Opened) {
        let now = self.now;
        let again = self.core.worker(&opened.id).is_some();
        let link = opened.link.and_then(|link| self.core.link(link));
        let (unreported, draining) = link.map_or((false, false), |l| (!l.reported, l.draining));
        if !again {
            let mut worker = Worker::new(
                opened.id.clone(),
                opened.kind,
                opened.max_weight,
                opened.shards,
                opened.conn,
                now,
            );
            worker.spot = link.is_some_and(|link| link.spot);
            self.core.add_worker(worker);
        } else {
            self.core
                .set_worker_kind(&opened.id, opened.kind, opened.shards);
        }
        self.core.update_worker(&opened.id, |w| {
            w.conn = Some(opened.conn);
            w.link = opened.link;
            w.unreported = unreported;
            w.max_weight = opened.max_weight;
            w.provers = opened.provers;
            w.device = opened.device;
            w.version = opened.version;
            w.closed = draining;
            w.silent = false;
            w.spare = false;
            w.told_anew(now);
            // It may be a new process. If it still does not stop, its next beat says so.
            w.retiring = false;
            w.last_seen = now;
            w.last_beat_sent = now;
        });
        tracing::info!(worker = %opened.id, kind = ?opened.kind, max_weight = opened.max_weight, provers = ?opened.provers, again, "worker opened");
        self.out.event(WorkerEvent::Registered {
            worker: opened.id,
            kind: opened.kind,
            max_weight: opened.max_weight,
        });
        self.dispatch();
    }

    /// A worker takes no more tasks; what it has may finish.
    pub(crate) fn worker_closed(&mut self, id: &WorkerId) -> Result<(), Refusal> {
        let now = self.now;
        let known = self.core.update_worker(id, |w| {
            w.closed = true;
            w.last_seen = now;
        });
        known.ok_or_else(|| Refusal::UnknownWorker(id.clone()))?;
        tracing::info!(worker = %id, "worker closed");
        self.out.event(WorkerEvent::Closed { worker: id.clone() });
        Ok(())
    }

    /// A worker's stream broke. It may come back; one that had nothing left to do does not need to.
    pub(crate) fn stream_broken(&mut self, id: &WorkerId, conn: ConnId) {
        let Some(worker) = self.core.worker(id) else {
            return;
        };
        if worker.conn != Some(conn) {
            return;
        }
        if worker.closed && worker.live().next().is_none() {
            self.core.remove_worker(id);
            return;
        }
        let now = self.now;
        self.core.update_worker(id, |w| {
            w.conn = None;
            w.broken_at = now;
        });
    }

    /// A call from a worker shows that it lives.
    pub(super) fn seen(&mut self, id: &str) {
        let now = self.now;
        self.core.update_worker(id, |w| {
            w.last_seen = now;
            if std::mem::take(&mut w.silent) {
                w.told_anew(now);
            }
        });
    }

    /// A worker does not let go of a task. It gets no more of them, and its pod is to be replaced.
    pub(super) fn recycle(&mut self, id: &WorkerId, kind: TaskType, task: &TaskId) {
        let first = self
            .core
            .update_worker(id, |w| !std::mem::replace(&mut w.retiring, true));
        if first != Some(true) {
            return;
        }
        let what = match kind {
            TaskType::UnspecifiedTaskType => "a task",
            kind => crate::failure::task_name(kind),
        };
        let why = format!("worker {id} still runs {what} ({task}), which it was told to stop");
        tracing::warn!(worker = %id, %task, "worker does not stop a cancelled task");
        let pod = id.pod().to_owned();
        self.out.event(WorkerEvent::Recycle { pod, why });
    }

    /// A worker says that it broke at a task.
    pub(super) fn broke(&mut self, id: &WorkerId, task: &TaskId) {
        let (worker, task) = (self.core.worker(id), self.core.task(task));
        if let (Some(worker), Some(task)) = (worker, task) {
            self.out.event(WorkerEvent::Broke {
                worker: id.clone(),
                proof: task.proof.clone(),
                device: worker.device.clone(),
            });
        }
    }

    /// A pod is on a node, or on none any more.
    pub(crate) fn pod_placed(&mut self, pod: &str, node: Option<&str>) {
        self.core.set_node(pod, node);
    }

    /// A pod is to get no more tasks, or is to get them again.
    pub(crate) fn pod_cordoned(&mut self, pod: &str, cordoned: bool) {
        self.core.cordon(pod, cordoned);
        self.dispatch();
    }

    /// A pod is gone, and with it all its registrations. Says how many those were.
    pub(crate) fn pod_lost(&mut self, pod: &str, loss: &Loss) -> usize {
        let lost = self.lose_pod(pod, loss);
        self.tend_recovery();
        self.dispatch();
        lost
    }

    /// A pod was to be gone by now, and nobody says that it is. It is lost if it cannot be heard either: one that runs on is left alone. Says how many registrations
    /// are lost with it.
    pub(crate) fn pod_overdue(&mut self, pod: &str, loss: &Loss) -> usize {
        let workers = self.core.workers_of(pod);
        let mut workers = workers.iter().filter_map(|id| self.core.worker(id));
        let heard = |worker: &Worker| self.now - self.core.last_heard(worker) < APART;
        if workers.any(|worker| worker.conn.is_some() && heard(worker)) {
            return 0;
        }
        self.pod_lost(pod, loss)
    }

    /// Forgets a pod: its process, and its registrations, as many as the answer says. Its tasks go elsewhere, each counted as lost once.
    pub(super) fn lose_pod(&mut self, pod: &str, loss: &Loss) -> usize {
        let ids = self.core.workers_of(pod);
        let departure = self.unlink(pod);
        self.lose_workers(&ids, loss);
        if let Some(departure) = departure {
            self.departed(departure, loss);
        }
        ids.len()
    }

    /// Forgets workers; their tasks go elsewhere, each counted as lost once.
    pub(super) fn lose_workers(&mut self, ids: &[WorkerId], loss: &Loss) {
        let lost = self.remove_workers(ids, loss);
        self.tasks_lost(&lost, loss);
    }

    /// Forgets workers, and says what they had.
    pub(super) fn remove_workers(&mut self, ids: &[WorkerId], loss: &Loss) -> Vec<TaskId> {
        let mut lost = Vec::new();
        for id in ids {
            let Some(worker) = self.core.remove_worker(id) else {
                continue;
            };
            lost.extend(worker.live().map(|(task, _)| task.clone()));
            tracing::warn!(worker = %id, class = %loss.class, message = loss.message, tasks = lost.len(), "worker lost");
            self.out.close_worker(id);
            self.out.event(WorkerEvent::Lost {
                worker: id.clone(),
                class: loss.class,
                message: loss.message.clone(),
                proofs: worker.holds().values().map(|h| h.proof.clone()).collect(),
                device: worker.device,
            });
        }
        lost
    }

    /// A worker has been silent for so long that its leaf tasks go elsewhere. It keeps the others for a while; without any it is lost.
    pub(super) fn worker_silent(&mut self, id: &WorkerId, loss: &Loss) {
        let Some(worker) = self.core.worker(id) else {
            return;
        };
        let live: Vec<_> = worker
            .live()
            .map(|(task, hold)| (task.clone(), hold.proof.clone(), hold.kind))
            .collect();
        // A process that is joined comes back by a word of it, without opening again.
        if worker.link.is_none() && !live.iter().any(|(_, _, kind)| is_unit(*kind)) {
            self.lose_workers(std::slice::from_ref(id), loss);
            return;
        }
        self.core.update_worker(id, |w| w.silent = true);
        let mut lost = Vec::new();
        for (task, proof, kind) in live {
            if !is_unit(kind) {
                self.cancel_on(id, &proof, &task);
                lost.push(task);
            }
        }
        self.tasks_lost(&lost, loss);
    }
}
