//! Second attempts: a worker that was given up comes back with a task that was begun again elsewhere. Both go on, and the first result counts.

use super::Reactor;
use crate::Millis;
use crate::ids::{TaskId, WorkerId};

impl Reactor<'_> {
    /// The worker goes on with a task that another has. It has its room there already.
    pub(super) fn goes_on_too(&mut self, worker: &WorkerId, id: &TaskId) {
        if let Some(task) = self.core.task_mut(id)
            && !task.also.contains(worker)
        {
            task.also.push(worker.clone());
        }
    }

    /// An attempt at a task besides the one that counts, on a worker that stays, and for how long it has run.
    pub(super) fn other_attempt(&mut self, id: &TaskId) -> Option<(WorkerId, u32, Millis)> {
        let task = self.core.task(id)?;
        let stays = |worker: &&WorkerId| {
            let worker = self.core.worker(worker);
            worker.is_some_and(|w| w.is_available() && goes_on(w, id))
        };
        let worker = task.also.iter().find(stays)?.clone();
        let hold = self.core.worker(&worker)?.holds().get(id)?;
        let (attempt, ran) = (hold.attempt, self.now - hold.began_at);
        let task = self.core.task_mut(id)?;
        task.also.retain(|other| *other != worker);
        Some((worker, attempt, ran))
    }

    /// Stops the attempts besides the one that counts, save on the pod that `but` names.
    pub(super) fn stop_others(&mut self, id: &TaskId, but: &str) {
        let Some(task) = self.core.task_mut(id) else {
            return;
        };
        let proof = task.proof.clone();
        for worker in std::mem::take(&mut task.also) {
            let known = self.core.worker(&worker);
            if worker.pod() != but && known.is_some_and(|w| goes_on(w, id)) {
                self.cancel_on(&worker, &proof, id);
            }
        }
    }
}

/// Whether a worker has a task that is not its own and that it was not told to stop.
fn goes_on(worker: &crate::core::Worker, id: &TaskId) -> bool {
    let hold = worker.holds().get(id);
    hold.is_some_and(|hold| hold.ended == Some(None))
}
