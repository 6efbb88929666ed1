//! What becomes of a task whose attempt failed, or whose worker is gone.

use std::collections::BTreeMap;

use provost_proto::worker::{TaskStatus, TaskType};
use provost_scheduler::retry::{Decision, GiveUp};

use super::{Reactor, change};
use crate::Millis;
use crate::core::{Departure, Lost, Lot, Phase, Tally, from_ticks};
use crate::events::WorkerEvent;
use crate::failure::{Failure, FailureClass, Loss, task_name};
use crate::ids::{ProofId, TaskId};
use crate::output::ReaderEnd;
use crate::proof_spec::Root;
use crate::state::{ProofResult, TaskChangeKind};

impl Reactor<'_> {
    /// A worker says how its attempt failed, and whether another may do better. A proof that does not verify gets its second attempt whatever the worker
    /// says: hardware errs.
    pub(super) fn failed_by_worker(&mut self, id: &TaskId, failure: Failure, retryable: bool) {
        match failure.class {
            FailureClass::ProgramFault => self.give_up(id, failure),
            FailureClass::InvalidProof => self.attempt_failed(id, failure),
            _ if retryable => self.attempt_failed(id, failure),
            _ => self.give_up(id, failure),
        }
    }

    /// A failure that another attempt may not meet. The worker has let go of the task.
    pub(super) fn attempt_failed(&mut self, id: &TaskId, failure: Failure) {
        self.attempt_failed_until(id, failure, 0);
    }

    /// The same, where another attempt waits until a time at least.
    pub(super) fn attempt_failed_until(
        &mut self,
        id: &TaskId,
        failure: Failure,
        not_before: Millis,
    ) {
        if failure.class.is_loss() {
            let loss = Loss::new(failure.class, failure.message);
            self.tasks_lost(std::slice::from_ref(id), &loss);
            return;
        }
        match self.count_failed(id, failure.class, Lot::default()) {
            None => {}
            Some(Decision::Retry { at, .. }) => {
                self.requeue(id, failure, from_ticks(at).max(not_before));
            }
            Some(Decision::Fail { why, .. }) => {
                let kind = self.core.task(id).map(|task| task.kind);
                let message = last_words(kind.unwrap_or_default(), why, &failure);
                self.give_up(id, Failure { message, ..failure });
            }
        }
    }

    /// Tasks whose worker is gone, or that it handed back. Each is counted as lost once, and they all go elsewhere, unless one has been lost too often.
    pub(super) fn tasks_lost(&mut self, lost: &[TaskId], loss: &Loss) {
        for (proof, lost, failure) in self.count_lost(lost, loss) {
            self.requeue_all(&proof, &lost, &failure);
        }
    }

    /// The same for a worker that may come back. A proof is begun again only once there is a place for it: until then its worker may take it back.
    pub(super) fn tasks_adrift(&mut self, lost: &[TaskId], loss: &Loss) {
        let lost = self.count_lost(lost, loss);
        let mut units = false;
        for (proof, lost, failure) in &lost {
            for id in lost {
                if self.needs_place(proof, id) {
                    self.set_adrift(id, failure);
                    units = true;
                }
            }
        }
        if units {
            // What goes down with them is not sent anywhere before.
            self.dispatch();
        }
        for (proof, lost, failure) in lost {
            let others = lost.iter().filter(|id| !self.needs_place(&proof, id));
            for id in others.cloned().collect::<Vec<_>>() {
                self.requeue(&id, failure.clone(), self.now);
            }
        }
    }

    /// Whether a proof begins again for the task, and so needs a place. One that is in the store already does not: it ends.
    fn needs_place(&self, proof: &ProofId, id: &TaskId) -> bool {
        let finished = self.core.proof(proof).is_some_and(|p| p.finished);
        !finished && self.restarts(proof, id)
    }

    fn restarts(&self, proof: &ProofId, id: &TaskId) -> bool {
        let kind = self.core.task(id).map(|task| task.kind);
        let proof = self.core.proof(proof);
        kind.is_some_and(|kind| proof.is_some_and(|proof| proof.restarts_with(kind)))
    }

    /// Lets a task wait that its proof has to begin again for.
    fn set_adrift(&mut self, id: &TaskId, failure: &Failure) {
        let Some(task) = self.core.task_mut(id) else {
            return;
        };
        let failure = failure.clone().of(id.clone(), task.kind);
        tracing::info!(proof = %task.proof, task = %id, message = failure.message, "task waits for its worker, or for another");
        task.avoid = task.last_worker.map(|last| last.pod);
        task.adrift = Some(Box::new(failure.clone()));
        let not_before = self.now;
        let requeued = TaskChangeKind::Requeued {
            failure,
            not_before,
        };
        self.record(id, requeued);
        self.core.set_phase(id, Phase::Queued);
    }

    /// There is a place for a task whose worker was given up: now its proof begins again. False if it is none.
    pub(super) fn begin_adrift(&mut self, id: &TaskId) -> bool {
        let Some(task) = self.core.task_mut(id) else {
            return false;
        };
        let proof = task.proof.clone();
        let Some(failure) = task.adrift.take() else {
            return false;
        };
        self.restart(&proof, id, *failure, self.now);
        true
    }

    /// A process that was given up is gone for good, and for this reason.
    pub(super) fn departed(&mut self, departure: Departure, loss: &Loss) {
        let Departure {
            class,
            heaviest,
            tasks,
        } = departure;
        if class != loss.class {
            self.recount(&tasks, class, heaviest, loss);
        }
        for lost in tasks {
            self.begin_adrift(&lost.task);
        }
    }

    /// What was lost was lost for another reason than was counted.
    fn recount(&mut self, tasks: &[Lost], from: FailureClass, heaviest: u32, loss: &Loss) {
        let mut given_up: BTreeMap<ProofId, (&Lost, GiveUp)> = BTreeMap::new();
        for lost in tasks {
            let of_proof = tasks.iter().filter(|other| other.proof == lost.proof);
            let lot = Lot {
                heaviest,
                of_proof: of_proof.map(|other| other.weight).max().unwrap_or(0),
            };
            let decision = self.core.recount(lost, from, loss.class, lot, self.now);
            self.tell_counted(&lost.task);
            if let Some(Decision::Fail { why, .. }) = decision {
                let entry = given_up.entry(lost.proof.clone());
                let culprit = entry.or_insert((lost, why));
                if lost.weight > culprit.0.weight {
                    *culprit = (lost, why);
                }
            }
        }
        for (proof, (lost, why)) in given_up {
            let why = self.told_as(lost_too_often(why, loss), &proof);
            let message = why.text(loss.class, task_name(lost.kind), &loss.message);
            let failure = Failure::new(loss.class, message);
            let failure = failure.of(lost.task.clone(), lost.kind);
            match self.core.task(&lost.task) {
                Some(_) => self.give_up(&lost.task, failure),
                None => self.fail_live_proof(&proof, failure, String::new()),
            }
        }
    }

    /// Counts tasks as lost, and ends proofs for which that was once too often. The answer is what is to go elsewhere, by proof.
    fn count_lost(&mut self, lost: &[TaskId], loss: &Loss) -> Vec<(ProofId, Vec<TaskId>, Failure)> {
        let mut by_proof: BTreeMap<ProofId, Vec<TaskId>> = BTreeMap::new();
        for id in lost {
            if let Some(task) = self.core.task(id) {
                by_proof
                    .entry(task.proof.clone())
                    .or_default()
                    .push(id.clone());
            }
        }
        let weights = lost
            .iter()
            .filter_map(|id| Some(self.core.task(id)?.weight));
        let heaviest = weights.max().unwrap_or(0);
        let mut again = Vec::new();
        for (proof, lost) in by_proof {
            let poison = self.count_losses(&proof, &lost, loss.class, heaviest);
            let failure = Failure::new(loss.class, lost_once(loss));
            if let Some((culprit, why)) = poison {
                let why = self.told_as(lost_too_often(why, loss), &proof);
                let kind = self.core.task(&culprit).map(|task| task.kind);
                let name = task_name(kind.unwrap_or_default());
                let message = why.text(loss.class, name, &loss.message);
                self.give_up(&culprit, Failure::new(loss.class, message));
                if self.core.proof(&proof).is_some_and(|p| p.ended.is_some()) {
                    continue;
                }
            }
            again.push((proof, lost, failure));
        }
        again
    }

    /// Why a proof is given up, told at once where that is no fault of its workers.
    fn told_as(&mut self, why: GiveUp, proof: &ProofId) -> GiveUp {
        if matches!(why, GiveUp::Poison { .. }) {
            let proof = proof.clone();
            self.out.event(WorkerEvent::Poison { proof });
        }
        why
    }

    /// Counts one loss for each task, and names the one to blame if one has had too many: the heaviest of them.
    fn count_losses(
        &mut self,
        proof: &ProofId,
        lost: &[TaskId],
        class: FailureClass,
        heaviest: u32,
    ) -> Option<(TaskId, GiveUp)> {
        let weights = lost
            .iter()
            .filter_map(|id| Some(self.core.task(id)?.weight));
        let lot = Lot {
            heaviest,
            of_proof: weights.max().unwrap_or(0),
        };
        let tasks = lost.iter().filter_map(|id| self.core.task(id));
        // One of each type that dies with its run, and its count with it: to name it all the same, its type is counted over all runs.
        let owner = self.core.proof(proof)?;
        let leaves = tasks.filter(|task| !owner.restarts_with(task.kind));
        let leaves: BTreeMap<_, _> = leaves.map(|task| (task.kind, task.id.clone())).collect();
        let given_up = |decision| match decision {
            Some(Decision::Fail { why, .. }) => Some(why),
            _ => None,
        };
        let now = self.now;
        let mut poisoned = None;
        let mut suspects = BTreeMap::new();
        for id in lost {
            let kind = self.core.task(id).map(|task| task.kind);
            let decision = self.count_failed(id, class, lot);
            if let (Some(kind), Some(why)) = (kind, given_up(decision)) {
                poisoned.get_or_insert_with(|| (id.clone(), why));
                if !leaves.contains_key(&kind) {
                    suspects.insert(kind, why);
                }
            }
        }
        for (kind, id) in leaves {
            if let Some(why) = given_up(self.core.kind_failed(&id, class, lot, now)) {
                suspects.insert(kind, why);
            }
        }
        let first = poisoned?;
        let tasks = lost.iter().filter_map(|id| self.core.task(id));
        let suspects = tasks.filter_map(|task| Some((task, *suspects.get(&task.kind)?)));
        let culprit = suspects.max_by_key(|(task, _)| task.weight);
        Some(culprit.map_or(first, |(task, why)| (task.id.clone(), why)))
    }

    /// Counts a failed attempt, and lets the task's creator know.
    fn count_failed(&mut self, id: &TaskId, class: FailureClass, lot: Lot) -> Option<Decision> {
        let random = self.ids.random();
        let decision = self.core.attempt_failed(id, class, lot, self.now, random)?;
        // What restarts its proof is counted there, and stored with the next run.
        let counts = self
            .core
            .task(id)
            .is_some_and(|t| t.tally != Tally::default());
        if counts && matches!(decision, Decision::Retry { .. }) {
            self.tell_counted(id);
        }
        Some(decision)
    }

    fn requeue_all(&mut self, proof: &ProofId, lost: &[TaskId], failure: &Failure) {
        // One restart takes all other tasks along.
        if let Some(id) = lost.iter().find(|id| self.restarts(proof, id)) {
            self.requeue(id, failure.clone(), self.now);
            return;
        }
        for id in lost {
            self.requeue(id, failure.clone(), self.now);
        }
    }

    /// Lets a task wait for another attempt, or begins its proof again if it is one that the others depend on.
    pub(super) fn requeue(&mut self, id: &TaskId, failure: Failure, not_before: Millis) {
        let Some(task) = self.core.task_mut(id) else {
            return;
        };
        if task.phase().is_final() {
            return;
        }
        let (kind, proof) = (task.kind, task.proof.clone());
        task.avoid = task.last_worker.map(|last| last.pod);
        let failure = failure.of(id.clone(), kind);
        if self
            .core
            .proof(&proof)
            .is_some_and(|p| p.restarts_with(kind))
        {
            self.restart(&proof, id, failure, not_before);
            return;
        }
        if let Some((worker, attempt, ran)) = self.other_attempt(id) {
            tracing::info!(%proof, task = %id, %worker, message = failure.message, "task goes on where it was begun before");
            self.core.set_phase(id, Phase::Queued);
            self.adopt(&worker, id, attempt, ran);
            return;
        }
        tracing::info!(%proof, task = %id, kind = task_name(kind), class = %failure.class, message = failure.message, "task goes again");
        let requeued = TaskChangeKind::Requeued {
            failure,
            not_before,
        };
        self.record(id, requeued);
        self.core.set_phase(id, self.waiting_until(not_before));
    }

    pub(super) fn waiting_until(&self, not_before: Millis) -> Phase {
        if not_before > self.now {
            Phase::Delayed(not_before)
        } else {
            Phase::Queued
        }
    }

    /// Begins a proof again: Controller and CoreExecute can not go on without each other, nor without what they had taken in.
    /// One that is in the store already has ended: its run is over, and how it was made is not known.
    fn restart(&mut self, proof: &ProofId, because: &TaskId, failure: Failure, at: Millis) {
        if self.core.proof(proof).is_some_and(|known| known.finished) {
            let extra_data = String::new();
            self.end_proof(
                proof,
                ProofResult::Failed {
                    failure,
                    extra_data,
                },
            );
            return;
        }
        tracing::warn!(%proof, task = %because, class = %failure.class, message = failure.message, "proof begins again");
        let avoid = self.core.task(because).and_then(|task| task.avoid);
        let requeued = TaskChangeKind::Requeued {
            failure,
            not_before: at,
        };
        self.record(because, requeued);
        let Some(owner) = self.core.proof_mut(proof) else {
            return;
        };
        let tasks = owner.tasks.take();
        owner.remember_run();
        for id in &tasks {
            self.drop_task(id);
        }
        self.close_subs(proof);
        if let Some(owner) = self.core.proof_mut(proof) {
            owner.dropped.extend(tasks);
        }
        self.end_run(proof);
        self.core.begin_again(proof);
        let root = self.create_root(proof, at);
        if let Some(task) = root.and_then(|root| self.core.task_mut(&root)) {
            task.avoid = avoid;
        }
    }

    /// Forgets a task that is not needed any more; a worker that has it is told to stop.
    pub(super) fn drop_task(&mut self, id: &TaskId) {
        let Some(task) = self.core.task(id) else {
            return;
        };
        let proof = task.proof.clone();
        let dropped = (!task.phase().is_final())
            .then(|| change(task, self.now, TaskChangeKind::Dropped))
            .flatten();
        if let Some(worker) = task.worker().cloned() {
            self.cancel_on(&worker, &proof, id);
        }
        self.stop_others(id, "");
        self.record_change(dropped);
        self.end_channel(id, ReaderEnd::RunOver);
        self.core.remove_task(id);
    }

    /// A task can not be done, and so its proof can not be made.
    pub(super) fn give_up(&mut self, id: &TaskId, failure: Failure) {
        let Some(task) = self.core.task(id) else {
            return;
        };
        if task.phase().is_final() {
            return;
        }
        let (proof, kind) = (task.proof.clone(), task.kind);
        let failure = failure.of(id.clone(), kind);
        self.core.set_phase(id, Phase::Failed);
        self.record(id, TaskChangeKind::Failed(failure.clone()));
        self.stop_others(id, "");
        self.notify(id, TaskStatus::FailedFatal);
        if self
            .core
            .proof(&proof)
            .is_some_and(|p| p.spec.kind == Root::None)
        {
            // Who made such a proof sees to its end.
            self.end_channel(id, ReaderEnd::Complete);
            return;
        }
        self.fail_live_proof(&proof, failure, String::new());
    }
}

fn place(loss: &Loss) -> String {
    match loss.message.as_str() {
        "" => String::new(),
        message => format!(" ({message})"),
    }
}

fn lost_once(loss: &Loss) -> String {
    let what = match loss.class {
        FailureClass::OutOfMemory => "the worker ran out of memory",
        FailureClass::Preempted => "the worker was told to go",
        _ => "the worker is gone",
    };
    format!("{what}{}", place(loss))
}

/// A worker runs out of memory only once: as many losses were as many workers.
fn lost_too_often(why: GiveUp, loss: &Loss) -> GiveUp {
    match why {
        GiveUp::Losses { losses } if loss.class == FailureClass::OutOfMemory => {
            GiveUp::Poison { workers: losses }
        }
        why => why,
    }
}

fn last_words(kind: TaskType, why: GiveUp, failure: &Failure) -> String {
    match why {
        GiveUp::Final => failure.message.clone(),
        GiveUp::Retries { attempts } => {
            format!("{} (attempt {attempts}, the last)", failure.message)
        }
        _ => why.text(failure.class, task_name(kind), &failure.message),
    }
}
