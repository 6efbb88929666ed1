//! Tasks that joined processes create, and those that they run.

use provost_proto::worker::TaskType;

use super::{Declined, Judged};
use crate::attempts::Attempts;
use crate::core::{Held, Hold, LinkId, Phase, Tally};
use crate::ids::{TaskId, WorkerId};
use crate::reactor::Reactor;
use crate::refusal::Refusal;
use crate::state::TaskChangeKind;
use crate::word::{Child, RunId, Running};

impl Reactor<'_> {
    /// A process adds a task to a run. Said again, in a report or not, it changes nothing; a result that came meanwhile is told.
    pub(super) fn child_created(&mut self, link: LinkId, child: Child, again: bool) -> Judged {
        self.check_run(&child.run)?;
        let Child {
            run,
            task: id,
            kind,
            data,
        } = child;
        self.involve(link, &run.proof);
        if let Some(proof) = self.core.proof_mut(&run.proof) {
            proof.makers.insert(link);
        }
        match self.core.task_mut(&id) {
            Some(task) if task.proof != run.proof => {
                let refusal = Refusal::IdTaken(id.to_string());
                return Err(Declined::Refused(id, refusal));
            }
            Some(task) => {
                if !task.takers.contains(&link) {
                    task.takers.push(link);
                }
                let status = task.phase().status();
                if task.phase().is_final() {
                    self.tell_result(link, &run.proof, &id, status);
                }
                return Ok(());
            }
            None => {}
        }
        let phase = match kind {
            TaskType::MarkerDeferredRecord => Phase::Marker,
            _ if again && self.core.holds_back(&run.proof, kind) => Phase::Held(Held::Recovery),
            _ => Phase::Queued,
        };
        self.core
            .add_task(id.clone(), &run.proof, kind, &data, phase);
        let Some(task) = self.core.task_mut(&id) else {
            return Ok(());
        };
        task.takers.push(link);
        let weight = task.weight;
        let created = TaskChangeKind::Created {
            weight,
            root: false,
            run: run.run,
        };
        self.record(&id, created);
        self.claim_stray(&run.proof, &id);
        Ok(())
    }

    /// Attempts at a task of the process failed under an earlier leader.
    pub(super) fn counted_before(
        &mut self,
        run: &RunId,
        id: &TaskId,
        attempts: &Attempts,
    ) -> Judged {
        self.check_run(run)?;
        let task = self.core.task(id).filter(|task| task.proof == run.proof);
        // What this leader has counted itself has all of that in it.
        if task.is_some_and(|task| task.tally == Tally::default()) {
            self.core.recall(id, attempts);
        }
        Ok(())
    }

    /// A process says in its report that it runs a task: it goes on with it, unless nobody needs that.
    pub(super) fn found_running(&mut self, link: LinkId, running: &Running) -> Judged {
        let worker = self.core.link(link).and_then(|l| l.worker(&running.role));
        let Some(worker) = worker.cloned() else {
            let message = format!("role {} is not played", running.role);
            let task = running.task.clone();
            return Err(Declined::Refused(task, Refusal::Invalid(message)));
        };
        if let Err(over) = self.check_run(&running.run) {
            if self.is_ending(&running.run) {
                self.stop(&worker, running);
            } else {
                self.occupy(&worker, running, Some(self.now));
            }
            return Err(over);
        }
        let id = &running.task;
        self.involve(link, &running.run.proof);
        if running.stopping {
            self.found_stopping(&worker, running);
            return Ok(());
        }
        if self.core.task(id).is_none() {
            match self.stray(&running.run.proof, id) {
                Some(stray) => {
                    stray.running = Some((worker.clone(), running.attempt, running.ran));
                    self.occupy(&worker, running, None);
                }
                None => self.stop(&worker, running),
            }
            return Ok(());
        }
        if !self.takes_up(&worker, id, running.attempt, running.ran) {
            self.stop(&worker, running);
        }
        Ok(())
    }

    /// A process says in its report that it was told to stop a task and has yet to.
    fn found_stopping(&mut self, worker: &WorkerId, running: &Running) {
        let task = self.core.task(&running.task);
        if task.is_some_and(|task| task.worker() == Some(worker)) {
            // A later attempt was sent there: it waits, or was lost on its way.
            self.send_task(&running.task, worker);
        } else {
            self.occupy(worker, running, Some(self.now));
        }
    }

    /// A task of a proof that is not known yet takes up room all the same.
    pub(super) fn makes_room(&mut self, link: LinkId, running: &Running) {
        let worker = self.core.link(link).and_then(|l| l.worker(&running.role));
        if let Some(worker) = worker.cloned() {
            self.occupy(&worker, running, None);
        }
    }

    /// A task that nobody needs takes up room until it has stopped.
    fn stop(&mut self, worker: &WorkerId, running: &Running) {
        self.occupy(worker, running, Some(self.now));
        self.cancel_on(worker, &running.run.proof, &running.task);
    }

    /// A task takes up room on a worker without being its: `told` is when the worker was told to stop it.
    fn occupy(&mut self, worker: &WorkerId, running: &Running, told: Option<i64>) {
        let (proof, kind) = (running.run.proof.clone(), running.kind);
        let weight = self.core.config().weights.of(kind);
        let hold = Hold::new(proof, kind, weight, running.attempt, self.now);
        let hold = hold.ran(running.ran).ended(told);
        self.core.occupy(worker, &running.task, hold);
    }
}
