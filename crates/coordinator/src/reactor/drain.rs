//! Processes that end soon: what will not end before they do is begun elsewhere while there is time.

use super::Reactor;
use crate::Millis;
use crate::core::{LinkId, is_unit};
use crate::failure::{FailureClass, Loss};
use crate::ids::{TaskId, WorkerId};

/// How long before its end a process has handed back whatever it still runs.
const MARGIN: Millis = 1_000;

impl Reactor<'_> {
    /// Looks again at what the processes that drain still run.
    pub(super) fn tend_drains(&mut self) {
        let drain = self.core.links();
        let drain = drain.filter(|(_, link)| link.ends_at.is_some());
        for link in drain.map(|(id, _)| id).collect::<Vec<_>>() {
            self.tend_drain(link);
        }
    }

    /// Hands back what a process is not likely to end in time.
    pub(super) fn tend_drain(&mut self, link: LinkId) {
        let Some(known) = self.core.link(link).filter(|link| link.reported) else {
            return;
        };
        let Some(end) = known.ends_at.map(|end| end - MARGIN) else {
            return;
        };
        let pod = known.pod.clone();
        let workers = known
            .roles
            .iter()
            .filter_map(|(_, id)| self.core.worker(id));
        let live = workers.flat_map(|w| w.live().map(|(task, hold)| (&w.id, task, hold)));
        let unfit = live.filter(|(_, id, hold)| !self.core.fits(id, hold, end, self.now));
        let unfit =
            unfit.map(|(worker, id, hold)| (worker.clone(), id.clone(), is_unit(hold.kind)));
        let unfit: Vec<_> = unfit.collect();
        if unfit.is_empty() {
            return;
        }
        for (worker, id, unit) in &unfit {
            self.hand_back(worker, id, *unit);
        }
        let message = format!("worker {pod} is told to go, and would not have ended it in time");
        let loss = Loss::new(FailureClass::Preempted, message);
        let tasks: Vec<_> = unfit.into_iter().map(|(_, id, _)| id).collect();
        self.tasks_lost(&tasks, &loss);
        self.dispatch();
    }

    /// The task is the worker's no more. What can not go on without it is stopped; anything else may still end first.
    fn hand_back(&mut self, worker: &WorkerId, id: &TaskId, unit: bool) {
        tracing::info!(%worker, task = %id, "a worker that drains hands a task back");
        let Some(proof) = self.core.task(id).map(|task| task.proof.clone()) else {
            return;
        };
        if unit {
            self.cancel_on(worker, &proof, id);
            return;
        }
        self.core.update_worker(worker, |w| {
            if let Some(hold) = w.hold_mut(id) {
                hold.ended = Some(None);
            }
        });
        self.goes_on_too(worker, id);
    }
}
