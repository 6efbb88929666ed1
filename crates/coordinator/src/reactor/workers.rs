//! Events of workers: they come, beat, leave, and are lost.

use std::collections::HashSet;

use provost_proto::worker::{CancelTask, TaskType, WorkerType, server_message};

use super::Reactor;
use crate::config::millis;
use crate::core::{Hold, LinkId, Worker, is_unit};
use crate::events::{Device, WorkerEvent};
use crate::failure::{Failure, FailureClass, Loss};
use crate::ids::{ConnId, ProofId, TaskId, WorkerId};
use crate::refusal::Refusal;
use crate::shards::ShardSize;

/// How long after a task's end a heartbeat may still name it without meaning anything: it was written before.
const LATE_BEAT: i64 = 10_000;

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
        if !again {
            self.core.add_worker(Worker::new(
                opened.id.clone(),
                opened.kind,
                opened.max_weight,
                opened.shards,
                opened.conn,
                now,
            ));
        } else {
            self.core
                .set_worker_kind(&opened.id, opened.kind, opened.shards);
        }
        let link = opened.link.and_then(|link| self.core.link(link));
        let (unreported, draining) = link.map_or((false, false), |l| (!l.reported, l.draining));
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
            w.silent = false;
        });
    }

    /// A worker says what it works on. What it should not work on is cancelled, what it should and does not is sent again.
    pub(crate) fn heartbeat(
        &mut self,
        id: &WorkerId,
        active: &[(ProofId, TaskId)],
        current_weight: u32,
    ) -> Result<(), Refusal> {
        if self.core.worker(id).is_none() {
            return Err(Refusal::UnknownWorker(id.clone()));
        }
        self.seen(id);
        self.reconcile_held(id, active);
        self.reconcile_foreign(id, active, current_weight);
        let now = self.now;
        let connected = self.core.update_worker(id, |w| {
            // It lives, and only lacks a stream: it is not to be given up while it says so.
            w.broken_at = now;
            w.conn.is_some()
        });
        self.dispatch();
        match connected {
            Some(true) => Ok(()),
            _ => Err(Refusal::NoStream(id.clone())),
        }
    }

    /// Goes through what the worker holds by our books.
    fn reconcile_held(&mut self, id: &WorkerId, active: &[(ProofId, TaskId)]) {
        let Some(worker) = self.core.worker(id) else {
            return;
        };
        let config = self.core.config();
        let (grace, resend) = (millis(config.recycle_grace), millis(config.resend_task));
        let max_resends = config.max_resends;
        let active: HashSet<_> = active.iter().map(|(_, task)| task).collect();
        let mut gone = Vec::new();
        let mut again = Vec::new();
        let mut refused = Vec::new();
        let mut stuck = None;
        for (task, hold) in worker.holds() {
            let reported = active.contains(task);
            match (hold.ended, reported) {
                (Some(_), false) => gone.push(task.clone()),
                (Some(Some(since)), true) if self.now - since >= grace => {
                    stuck.get_or_insert_with(|| (hold.kind, task.clone()));
                }
                (None, false) if self.now - hold.sent_at >= resend => {
                    if hold.resends < max_resends {
                        again.push(task.clone());
                    } else {
                        refused.push(task.clone());
                    }
                }
                _ => {}
            }
        }
        for task in gone {
            self.core.release(id, &task);
        }
        for task in again {
            let now = self.now;
            self.core.update_worker(id, |w| {
                if let Some(hold) = w.hold_mut(&task) {
                    hold.sent_at = now;
                    hold.resends += 1;
                }
            });
            self.send_task(&task, id);
        }
        for task in refused {
            let message = format!("worker {id} was sent the task and does not report it");
            self.core.release(id, &task);
            self.attempt_failed(&task, Failure::new(FailureClass::Transient, message));
        }
        if let Some((kind, task)) = stuck {
            self.recycle(id, kind, &task);
        }
    }

    /// Goes through what the worker names and does not hold by our books: it must stop, and takes up room until it has.
    fn reconcile_foreign(&mut self, id: &WorkerId, active: &[(ProofId, TaskId)], weight: u32) {
        let Some(worker) = self.core.worker(id) else {
            return;
        };
        let since = self.now - LATE_BEAT;
        let foreign: Vec<_> = active
            .iter()
            .filter(|(_, task)| !worker.holds().contains_key(task))
            .filter(|(_, task)| !worker.finished_lately(task, since))
            .cloned()
            .collect();
        if foreign.is_empty() {
            return;
        }
        let known = active.iter().filter_map(|(_, t)| worker.holds().get(t));
        let known: u64 = known.map(|hold| u64::from(hold.weight)).sum();
        // We do not know what each weighs, only what the worker says of all: the first stands for them.
        let mut rest = u64::from(weight).saturating_sub(known).min(worker.free());
        for (proof, task) in foreign {
            self.out.send(
                id,
                server_message::Message::CancelTask(CancelTask {
                    proof_id: proof.to_string(),
                    task_id: task.to_string(),
                }),
            );
            let weight = u32::try_from(std::mem::take(&mut rest)).unwrap_or(u32::MAX);
            let hold = Hold::new(proof, TaskType::UnspecifiedTaskType, weight, 0, self.now);
            let hold = hold.ended(Some(self.now));
            self.core.occupy(id, &task, hold);
        }
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

    /// A pod is gone, and with it all its registrations. Says how many those were.
    pub(crate) fn pod_lost(&mut self, pod: &str, loss: &Loss) -> usize {
        let lost = self.lose_pod(pod, loss);
        self.tend_recovery();
        self.dispatch();
        lost
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
