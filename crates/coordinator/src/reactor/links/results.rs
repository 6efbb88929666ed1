//! Results: how attempts end, who wants to know, who keeps them until all do.

use provost_proto::worker::TaskStatus;

use super::{Answers, Declined, Judged};
use crate::core::{Held, LinkId, Phase, StrayDone};
use crate::failure::{Failure, FailureClass, Loss};
use crate::ids::{ProofId, TaskId, WorkerId};
use crate::reactor::Reactor;
use crate::refusal::Refusal;
use crate::word::{Done, Outcome, RunId};

/// Why a run can not go on whose tasks are waited for and nobody knows.
pub(super) const ONLY_KNOWER: &str = "a worker was lost with what only it knew";

impl Reactor<'_> {
    /// An attempt has ended. The first result counts, whichever attempt it comes from; a failure says something of its own attempt only.
    pub(super) fn attempt_ended(&mut self, link: LinkId, done: Done) -> Judged {
        let Some(worker) = self.worker_of(link, &done) else {
            let message = format!("role {} is not played", done.role);
            return Err(Declined::Refused(done.task, Refusal::Invalid(message)));
        };
        if let Err(over) = self.check_run(&done.run) {
            self.free_attempt(&worker, &done.task, done.attempt);
            return Err(over);
        }
        let proof = done.run.proof.clone();
        self.involve(link, &proof);
        if self.core.task(&done.task).is_none() {
            self.free_attempt(&worker, &done.task, done.attempt);
            return self.stray_ended(link, worker, done);
        }
        self.known_ended(link, &worker, done.task, done.attempt, done.outcome)
    }

    /// The worker that an attempt was on. A marker is completed by a process that need not play any particular role.
    fn worker_of(&self, link: LinkId, done: &Done) -> Option<WorkerId> {
        let link = self.core.link(link)?;
        let found = link.worker(&done.role).cloned();
        match done.attempt {
            0 => found.or_else(|| Some(WorkerId::from(link.pod.as_str()))),
            _ => found,
        }
    }

    pub(super) fn known_ended(
        &mut self,
        link: LinkId,
        worker: &WorkerId,
        id: TaskId,
        attempt: u32,
        outcome: Outcome,
    ) -> Judged {
        let hold = self.core.worker(worker).and_then(|w| w.holds().get(&id));
        let held = hold.is_some_and(|hold| hold.attempt == attempt);
        let began = hold.map(|hold| (hold.kind, hold.began_at));
        let Some(task) = self.core.task_mut(&id) else {
            return Ok(());
        };
        let final_already = task.phase().is_final();
        let current = match task.phase() {
            Phase::Assigned(holder) => held && holder == worker,
            // It ended before this leader knew of it. If it was handed back, another may have it by now and has yet to say so.
            Phase::Held(Held::Recovery) => attempt != 0 && !matches!(outcome, Outcome::Stopped),
            _ => false,
        };
        if current || *task.phase() == Phase::Held(Held::Recovery) {
            task.attempt = task.attempt.max(attempt);
        }
        match outcome {
            Outcome::Completed(metadata) => {
                if let Some((kind, began_at)) = began.filter(|_| held) {
                    self.core.note_pace(kind, self.now - began_at);
                }
                if !final_already {
                    self.succeed(worker, &id, metadata);
                }
                self.free_attempt(worker, &id, attempt);
                self.keep_result(link, id)
            }
            Outcome::Failed { failure, retryable } => {
                self.free_attempt(worker, &id, attempt);
                if current {
                    if failure.class == FailureClass::NodeLost {
                        self.broke(worker, &id);
                    }
                    self.failed_by_worker(&id, failure, retryable);
                }
                Err(Declined::Unneeded(id))
            }
            Outcome::Stopped => {
                self.free_attempt(worker, &id, attempt);
                if current {
                    let message = format!("worker {worker} handed it back");
                    let loss = Loss::new(FailureClass::Preempted, message);
                    self.tasks_lost(std::slice::from_ref(&id), &loss);
                }
                Err(Declined::Unneeded(id))
            }
        }
    }

    /// The attempt takes up no more room.
    fn free_attempt(&mut self, worker: &WorkerId, task: &TaskId, attempt: u32) {
        if attempt == 0 {
            self.free_stopped(worker, task);
            return;
        }
        let hold = self.core.worker(worker).and_then(|w| w.holds().get(task));
        if hold.is_some_and(|hold| hold.attempt == attempt) {
            self.core.release(worker, task);
        }
    }

    /// A process that was told to stop a task does not have it any more.
    fn free_stopped(&mut self, worker: &WorkerId, task: &TaskId) {
        for id in self.core.workers_of(worker.pod()) {
            let hold = self.core.worker(&id).and_then(|w| w.holds().get(task));
            if hold.is_some_and(|hold| !hold.is_live()) {
                self.core.release(&id, task);
            }
        }
    }

    /// A process keeps a result until everyone who waits for it has it.
    fn keep_result(&mut self, link: LinkId, id: TaskId) -> Judged {
        // The proof may have ended with the task: then its run is over.
        let Some(task) = self.core.task_mut(&id) else {
            return Ok(());
        };
        let kept = task.keeper.is_some_and(|keeper| keeper != link);
        if kept || task.takers.is_empty() {
            return Err(Declined::Unneeded(id));
        }
        task.keeper = Some(link);
        Ok(())
    }

    /// A task is final: tells everyone who waits for it at the native door.
    pub(in crate::reactor) fn tell_takers(&mut self, id: &TaskId) {
        let Some(task) = self.core.task(id) else {
            return;
        };
        let (proof, status) = (task.proof.clone(), task.phase().status());
        for link in task.takers.clone() {
            self.tell_result(link, &proof, id, status);
        }
    }

    /// A process waits for tasks. Those that are final are answered at once.
    pub(super) fn watched(
        &mut self,
        link: LinkId,
        run: RunId,
        tasks: Vec<TaskId>,
        answers: &mut Answers,
    ) -> Judged {
        self.check_run(&run)?;
        self.involve(link, &run.proof);
        for id in tasks {
            let judged = self.watched_one(link, &run.proof, id);
            answers.note(judged);
        }
        Ok(())
    }

    fn watched_one(&mut self, link: LinkId, proof: &ProofId, id: TaskId) -> Judged {
        match self.core.task_mut(&id) {
            Some(task) if task.proof == *proof => {
                if !task.takers.contains(&link) {
                    task.takers.push(link);
                }
                if task.phase().is_final() {
                    let status = task.phase().status();
                    self.tell_result(link, proof, &id, status);
                }
                return Ok(());
            }
            _ => {}
        }
        if !self.may_be_stray(proof) {
            let refusal = Refusal::UnknownTask(id.clone());
            return Err(Declined::Refused(id, refusal));
        }
        let over = self.core.recovery().is_none();
        let Some(known) = self.core.proof_mut(proof) else {
            return Ok(());
        };
        if over && !known.strays.contains_key(&id) {
            self.lose_run(proof, ONLY_KNOWER);
            return Ok(());
        }
        let stray = known.strays.entry(id.clone()).or_default();
        if !stray.takers.contains(&link) {
            stray.takers.push(link);
        }
        if let Some(status) = stray.status {
            self.tell_result(link, proof, &id, status);
        }
        Ok(())
    }

    /// A process has taken in results. Once all have, the one that keeps them need not any more.
    pub(super) fn taken(&mut self, link: LinkId, run: RunId, tasks: &[TaskId]) -> Judged {
        self.check_run(&run)?;
        for id in tasks {
            self.taken_one(link, &run.proof, id);
        }
        Ok(())
    }

    pub(super) fn taken_one(&mut self, link: LinkId, proof: &ProofId, id: &TaskId) {
        let keeper = if let Some(task) = self.core.task_mut(id) {
            if !task.phase().is_final() {
                return;
            }
            task.takers.retain(|taker| *taker != link);
            match task.takers.is_empty() {
                true => task.keeper.take(),
                false => None,
            }
        } else {
            self.stray_taken(link, proof, id)
        };
        if let Some(keeper) = keeper {
            self.tell_settled(keeper, vec![id.clone()]);
        }
    }

    /// A process was told under an earlier leader how a task ended.
    pub(super) fn result_known(
        &mut self,
        link: LinkId,
        run: &RunId,
        id: TaskId,
        status: TaskStatus,
    ) -> Judged {
        self.check_run(run)?;
        self.involve(link, &run.proof);
        let Some(task) = self.core.task(&id).filter(|task| task.proof == run.proof) else {
            if let Some(stray) = self.stray(&run.proof, &id) {
                stray.status = Some(status);
            }
            return Ok(());
        };
        if task.phase().is_final() {
            return Ok(());
        }
        self.ended_before(&id, status);
        Ok(())
    }

    /// A task is final, and was before this leader knew of it.
    pub(super) fn ended_before(&mut self, id: &TaskId, status: TaskStatus) {
        let Some(task) = self.core.task(id) else {
            return;
        };
        match status {
            TaskStatus::Succeeded => {
                let (proof, holder) = (task.proof.clone(), task.worker().cloned());
                self.succeed(&WorkerId::from(""), id, String::new());
                if let Some(holder) = holder {
                    self.cancel_on(&holder, &proof, id);
                }
            }
            _ => {
                let message = "it failed under an earlier leader";
                self.give_up(id, Failure::new(FailureClass::Bug, message));
            }
        }
    }

    fn stray_ended(&mut self, link: LinkId, worker: WorkerId, done: Done) -> Judged {
        let (proof, id) = (done.run.proof, done.task);
        let Some(stray) = self.stray(&proof, &id) else {
            return Err(Declined::Unneeded(id));
        };
        if stray.running.as_ref().is_some_and(|(on, ..)| *on == worker) {
            stray.running = None;
        }
        stray.done = Some(StrayDone {
            link,
            worker,
            attempt: done.attempt,
            outcome: done.outcome,
        });
        Ok(())
    }
}
