//! What workers of the stock door say in their heartbeats: which tasks they have. Both sides' books are brought together.
//!
//! Such workers keep nothing for the next leader. But they go on with what they have, and so a heartbeat is how a new leader learns of it.

use std::collections::HashSet;

use provost_proto::worker::TaskType;

use super::Reactor;
use crate::config::millis;
use crate::core::{Hold, is_unit};
use crate::failure::{Failure, FailureClass};
use crate::ids::{ProofId, TaskId, WorkerId};
use crate::refusal::Refusal;

/// How long after a task's end a heartbeat may still name it without meaning anything: it was written before.
const LATE_BEAT: i64 = 10_000;

impl Reactor<'_> {
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
        self.take_up_named(id, active);
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
            let weight = u32::try_from(std::mem::take(&mut rest)).unwrap_or(u32::MAX);
            let hold = Hold::new(
                proof.clone(),
                TaskType::UnspecifiedTaskType,
                weight,
                0,
                self.now,
            );
            let told = (!self.note_stray(id, &proof, &task)).then_some(self.now);
            self.core.occupy(id, &task, hold.ended(told));
            if told.is_some() {
                self.cancel_on(id, &proof, &task);
            }
        }
    }

    /// Takes up leaf tasks that the worker has from an earlier leader. What else it had from there cannot go on: it has kept no messages.
    fn take_up_named(&mut self, id: &WorkerId, active: &[(ProofId, TaskId)]) {
        let since = self.now - LATE_BEAT;
        for (proof, task) in active {
            let known = self.core.worker(id);
            let strange = known.is_some_and(|worker| {
                !worker.holds().contains_key(task) && !worker.finished_lately(task, since)
            });
            let Some(found) = self.core.task(task).filter(|_| strange) else {
                continue;
            };
            if found.proof != *proof || is_unit(found.kind) || !self.may_be_stray(proof) {
                continue;
            }
            let attempt = found.attempt.max(1);
            self.takes_up(id, task, attempt, 0);
        }
    }

    /// Notes who runs a task that is not known, if its creator may yet report it: false if not.
    fn note_stray(&mut self, worker: &WorkerId, proof: &ProofId, task: &TaskId) -> bool {
        if self.core.task(task).is_some() {
            return false;
        }
        let stray = self.stray(proof, task);
        stray
            .map(|stray| stray.running = Some((worker.clone(), 1, 0)))
            .is_some()
    }
}
