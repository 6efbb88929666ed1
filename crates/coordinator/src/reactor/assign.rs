//! Giving waiting tasks to workers.

use super::Reactor;
use crate::core::{Hold, Phase};
use crate::ids::{TaskId, WorkerId};
use crate::output::Order;
use crate::state::TaskChangeKind;

impl Reactor<'_> {
    /// Places what can be placed. The last step of every event that may have made room or work, and of every tick: some tasks wait for a time only.
    pub(super) fn dispatch(&mut self) {
        while let Some((task, worker)) = self.core.next_placement(self.now) {
            if !self.begin_adrift(&task) {
                self.assign(&task, &worker);
            }
        }
    }

    fn assign(&mut self, id: &TaskId, worker: &WorkerId) {
        let now = self.now;
        let Some(task) = self.core.task_mut(id) else {
            return;
        };
        task.attempt += 1;
        let attempt = task.attempt;
        let hold = Hold::new(task.proof.clone(), task.kind, task.weight, attempt, now);
        self.place(id, worker, hold);
        let worker = worker.clone();
        self.send_task(id, &worker);
        self.record(id, TaskChangeKind::Assigned { worker, attempt });
    }

    /// The task is the worker's from now on.
    pub(super) fn place(&mut self, id: &TaskId, worker: &WorkerId, hold: Hold) {
        let (proof, now) = (hold.proof.clone(), self.now);
        self.core.set_phase(id, Phase::Assigned(worker.clone()));
        self.core.hold(worker, id, hold);
        if let Some(proof) = self.core.proof_mut(&proof)
            && proof.root.as_ref() == Some(id)
        {
            proof.started_at.get_or_insert(now);
        }
    }

    /// Sends a task, for the first time or again.
    pub(super) fn send_task(&mut self, id: &TaskId, worker: &WorkerId) {
        let Some(task) = self.core.task(id) else {
            return;
        };
        let Some(data) = task.data.clone() else {
            return;
        };
        if let Some(link) = self.core.worker(worker).and_then(|w| w.link) {
            self.send_attempt(link, id, worker, data);
            return;
        }
        let task = id.clone();
        self.out.send(worker, Order::Run { task, data });
    }
}
