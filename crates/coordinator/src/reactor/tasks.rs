//! Events of tasks: created, completed, failed.

use bytes::Bytes;
use provost_proto::worker::{TaskStatus, TaskType};

use super::Reactor;
use crate::attempts::LONGEST_ATTEMPT;
use crate::core::{Held, Phase, Proof, Task};
use crate::failure::{Failure, FailureClass};
use crate::ids::{ProofId, TaskId, WorkerId};
use crate::output::ReaderEnd;
use crate::proof_spec::Root;
use crate::refusal::Refusal;
use crate::state::TaskChangeKind;

/// A task that a worker asks for.
pub(crate) struct NewTask {
    /// The name that its creator chose, if it did.
    pub(crate) id: Option<TaskId>,
    pub(crate) creator: WorkerId,
    pub(crate) kind: TaskType,
    pub(crate) proof: ProofId,
    /// The task that created it.
    pub(crate) parent: Option<TaskId>,
    /// Encoded.
    pub(crate) data: Bytes,
}

/// What a worker says of a failed attempt.
pub(crate) struct FailureReport {
    pub(crate) retryable: bool,
    pub(crate) class: Option<FailureClass>,
    pub(crate) message: String,
}

impl Reactor<'_> {
    /// A worker adds a task to the proof that it works on. Asked again under the same name, the answer is the same and there is no second task.
    pub(crate) fn task_created(&mut self, new: NewTask) -> Result<TaskId, Refusal> {
        self.seen(&new.creator);
        let proof_id = new.proof.clone();
        let proof = self.live_proof(&proof_id)?;
        if let Some(id) = &new.id {
            match self.core.task(id) {
                Some(task) if task.proof == proof_id => return Ok(id.clone()),
                Some(_) => return Err(Refusal::IdTaken(id.to_string())),
                None if proof.dropped.contains(id) => return Err(Refusal::RunOver(proof_id)),
                None => {}
            }
        }
        self.check_creator(&proof_id, proof, &new)?;
        let id = new.id.unwrap_or_else(|| self.ids.task());
        let phase = match new.kind {
            TaskType::MarkerDeferredRecord => Phase::Marker,
            _ => Phase::Queued,
        };
        let run = proof_run(self.core.proof(&proof_id));
        self.core
            .add_task(id.clone(), &proof_id, new.kind, &new.data, phase);
        let weight = self.core.task(&id).map_or(0, |task| task.weight);
        let kind = TaskChangeKind::Created {
            weight,
            root: false,
            run,
        };
        self.record(&id, kind);
        self.dispatch();
        Ok(id)
    }

    /// Only who works on the present run of a proof may add to it: what an earlier run still asks for is not needed any more.
    fn check_creator(&self, id: &ProofId, proof: &Proof, new: &NewTask) -> Result<(), Refusal> {
        if proof.spec.kind == Root::None {
            return Ok(());
        }
        if matches!(new.kind, TaskType::Controller | TaskType::ExecuteOnly) {
            let message = format!("proof {id} has its root already");
            return Err(Refusal::Invalid(message));
        }
        let parent = new.parent.as_ref();
        let stale = parent.is_some_and(|parent| proof.dropped.contains(parent));
        if stale || !self.works_on(&new.creator, id) {
            return Err(Refusal::RunOver(id.clone()));
        }
        Ok(())
    }

    /// Whether any registration of the worker's pod has a task of the proof in hand.
    pub(super) fn works_on(&self, worker: &WorkerId, proof: &ProofId) -> bool {
        let mut ids = self.core.workers_of(worker.pod()).into_iter();
        ids.any(|id| {
            let worker = self.core.worker(&id);
            worker.is_some_and(|w| w.live().any(|(_, hold)| hold.proof == *proof))
        })
    }

    /// The proof, if it has not ended.
    pub(super) fn live_proof(&self, id: &ProofId) -> Result<&Proof, Refusal> {
        match self.core.proof(id) {
            None => Err(Refusal::UnknownProof(id.clone())),
            Some(proof) if proof.ended.is_some() => Err(Refusal::ProofEnded(id.clone())),
            Some(proof) => Ok(proof),
        }
    }

    /// A worker has a result. The first one counts, whoever it comes from; a marker's comes from a worker that never held it.
    pub(crate) fn task_completed(
        &mut self,
        worker: &WorkerId,
        proof: &ProofId,
        id: &TaskId,
        metadata: String,
    ) -> Result<(), Refusal> {
        self.seen(worker);
        let result = match self.find(proof, id) {
            Ok(Some(task)) if !task.phase().is_final() => {
                self.succeed(worker, id, metadata);
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(refusal) => self.completed_before(proof, id).ok_or(refusal),
        };
        // Whatever became of the task, the worker is done with it.
        self.let_go(worker, id);
        self.dispatch();
        result
    }

    /// A task that is not known may be one whose creator has yet to report.
    fn completed_before(&mut self, proof: &ProofId, id: &TaskId) -> Option<()> {
        let stray = self.stray(proof, id)?;
        stray.running = None;
        stray.status = Some(TaskStatus::Succeeded);
        Some(())
    }

    pub(super) fn succeed(&mut self, worker: &WorkerId, id: &TaskId, metadata: String) {
        let Some(task) = self.core.task(id) else {
            return;
        };
        let (proof, kind) = (task.proof.clone(), task.kind);
        let recovered = *task.phase() == Phase::Held(Held::Recovery);
        let other = task.worker().filter(|w| w.pod() != worker.pod()).cloned();
        self.core.set_phase(id, Phase::Succeeded);
        if let Some(other) = other {
            self.cancel_on(&other, &proof, id);
        }
        self.stop_others(id, worker.pod());
        let gpu_ms = gpu_ms(&metadata);
        if let Some(proof) = self.core.proof_mut(&proof) {
            proof.succeeded(kind, gpu_ms, recovered);
        }
        self.record(id, TaskChangeKind::Succeeded { metadata, gpu_ms });
        self.notify(id, TaskStatus::Succeeded);
        self.end_channel(id, ReaderEnd::Complete);
        let root = self.core.proof(&proof).and_then(|p| p.root.clone());
        if root.as_ref() == Some(id) {
            // A worker repeats CompleteProof until it is acknowledged, and only then completes the root.
            let message = "the root task ended without an outcome of the proof";
            let failure = Failure::new(FailureClass::Bug, message);
            self.fail_live_proof(&proof, failure, String::new());
        }
    }

    /// An attempt ended without a result.
    pub(crate) fn task_failed(
        &mut self,
        worker: &WorkerId,
        proof: &ProofId,
        id: &TaskId,
        report: FailureReport,
    ) -> Result<(), Refusal> {
        self.seen(worker);
        let holder = match self.find(proof, id) {
            Ok(task) => task.and_then(Task::worker).cloned(),
            Err(refusal) => {
                self.let_go(worker, id);
                self.dispatch();
                return Err(refusal);
            }
        };
        self.let_go(worker, id);
        // An attempt that was given up already says nothing about the present one.
        if holder.is_some_and(|holder| holder.pod() == worker.pod()) {
            let class = report.class.unwrap_or(if report.retryable {
                FailureClass::Transient
            } else {
                FailureClass::Bug
            });
            let failure = Failure::new(class, report.message);
            self.failed_by_worker(id, failure, report.retryable);
        }
        self.dispatch();
        Ok(())
    }

    /// The task that a worker speaks of: `None` if its proof has ended, so that it does not matter any more.
    fn find(&self, proof_id: &ProofId, id: &TaskId) -> Result<Option<&Task>, Refusal> {
        let Some(proof) = self.core.proof(proof_id) else {
            return Err(Refusal::UnknownProof(proof_id.clone()));
        };
        match self.core.task(id) {
            Some(task) if task.proof == *proof_id => Ok(Some(task)),
            _ if proof.ended.is_some() => Ok(None),
            _ if proof.dropped.contains(id) => Err(Refusal::RunOver(proof_id.clone())),
            _ => Err(Refusal::UnknownTask(id.clone())),
        }
    }

    /// The worker says that it is done with a task: its room there is free, on whichever registration of its pod it was.
    fn let_go(&mut self, worker: &WorkerId, id: &TaskId) {
        let now = self.now;
        if self.core.release_finished(worker, id, now) {
            return;
        }
        for other in self.core.workers_of(worker.pod()) {
            self.core.release_finished(&other, id, now);
        }
    }

    /// The present status of tasks of a proof; those that are not there are left out.
    pub(crate) fn statuses(&self, proof: &ProofId, ids: &[TaskId]) -> Vec<(TaskStatus, TaskId)> {
        ids.iter()
            .filter_map(|id| self.core.task(id))
            .filter(|task| task.proof == *proof)
            .map(|task| (task.phase().status(), task.id.clone()))
            .collect()
    }
}

fn proof_run(proof: Option<&Proof>) -> u32 {
    proof.map_or(0, |proof| proof.run)
}

/// The time that a task held a GPU, from SP1's `TaskMetadata`.
fn gpu_ms(metadata: &str) -> u64 {
    #[derive(serde::Deserialize)]
    struct TaskMetadata {
        gpu_ms: Option<u64>,
    }
    // Most say nothing.
    if !metadata.contains("gpu_ms") {
        return 0;
    }
    let metadata = serde_json::from_str::<TaskMetadata>(metadata).ok();
    let gpu_ms = metadata.and_then(|m| m.gpu_ms).unwrap_or_default();
    gpu_ms.min(LONGEST_ATTEMPT.unsigned_abs())
}
