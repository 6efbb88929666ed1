//! Tasks go on where they are found to run: after a change of leader, or on a worker that was given up and is back.

use super::Reactor;
use crate::Millis;
use crate::core::{Held, Hold, Phase, is_unit};
use crate::ids::{TaskId, WorkerId};
use crate::state::TaskChangeKind;

impl Reactor<'_> {
    /// A worker turns out to have run a task for so long. It goes on with it; false if nobody needs that.
    pub(super) fn takes_up(
        &mut self,
        worker: &WorkerId,
        id: &TaskId,
        attempt: u32,
        ran: Millis,
    ) -> bool {
        let Some(task) = self.core.task(id) else {
            return false;
        };
        match task.phase() {
            Phase::Held(Held::Recovery) | Phase::Queued | Phase::Delayed(_) => {
                self.adopt(worker, id, attempt, ran);
            }
            Phase::Assigned(holder) if holder == worker => {
                let began_at = self.now.saturating_sub(ran);
                self.core.update_worker(worker, |w| {
                    if let Some(hold) = w.hold_mut(id) {
                        hold.attempt = attempt;
                        hold.began_at = began_at;
                    }
                });
            }
            Phase::Assigned(_) if !is_unit(task.kind) => {
                // It was thought lost, and begun again elsewhere. The first result counts.
                let (proof, kind, weight) = (task.proof.clone(), task.kind, task.weight);
                let hold = Hold::new(proof, kind, weight, attempt, self.now).ran(ran);
                self.core.occupy(worker, id, hold.ended(None));
                self.goes_on_too(worker, id);
            }
            _ => return false,
        }
        true
    }

    /// A task goes on where it runs.
    pub(super) fn adopt(&mut self, worker: &WorkerId, id: &TaskId, attempt: u32, ran: Millis) {
        let now = self.now;
        let Some(task) = self.core.task_mut(id) else {
            return;
        };
        task.attempt = task.attempt.max(attempt);
        task.adrift = None;
        let hold = Hold::new(task.proof.clone(), task.kind, task.weight, attempt, now).ran(ran);
        self.core.release(worker, id);
        self.place(id, worker, hold);
        let worker = worker.clone();
        self.record(id, TaskChangeKind::Assigned { worker, attempt });
    }
}
