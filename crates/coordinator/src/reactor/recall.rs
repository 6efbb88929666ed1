//! A task is to be run again because a person says so: no attempt has failed, and none is counted.

use super::Reactor;
use crate::core::{Held, Phase};
use crate::events::Recall;
use crate::failure::{Failure, FailureClass};
use crate::ids::TaskId;
use crate::state::TaskChangeKind;

impl Reactor<'_> {
    /// Stops a task and lets it wait again, elsewhere if there is another place. One that the others of its run depend on takes the run along.
    pub(crate) fn task_recalled(&mut self, id: &TaskId) -> Recall {
        let Some(task) = self.core.task(id) else {
            // Who created it may have yet to say so.
            return match self.core.recovery() {
                Some(_) => Recall::Recovering,
                None => Recall::Unneeded,
            };
        };
        let (proof, phase) = (task.proof.clone(), task.phase().clone());
        let unit = self
            .core
            .proof(&proof)
            .is_some_and(|proof| proof.restarts_with(task.kind));
        match phase {
            Phase::Held(Held::Recovery) => return Recall::Recovering,
            Phase::Marker | Phase::Succeeded | Phase::Failed => return Recall::Unneeded,
            // Also one that waits: what stands for the run in the durable state may be gone.
            _ if unit => {
                let failure = Failure::new(FailureClass::Preempted, "its ProvingTask was deleted");
                self.requeue(id, failure, self.now);
            }
            Phase::Queued | Phase::Held(Held::Storing(_)) => return Recall::Unneeded,
            Phase::Delayed(_) => self.core.set_phase(id, Phase::Queued),
            Phase::Assigned(worker) => {
                tracing::info!(%proof, task = %id, %worker, "task is recalled, and goes again");
                self.cancel_on(&worker, &proof, id);
                if let Some(task) = self.core.task_mut(id) {
                    task.avoid = task.last_worker.map(|last| last.pod);
                }
                self.record(id, TaskChangeKind::Recalled);
                self.core.set_phase(id, Phase::Queued);
            }
        }
        self.dispatch();
        Recall::Done
    }
}
