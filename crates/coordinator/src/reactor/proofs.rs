//! Events of proofs: submitted, completed, failed, cancelled, stored, forgotten.

use provost_proto::worker::{TaskData, TaskType};

use super::Reactor;
use crate::Millis;
use crate::core::{Held, Phase};
use crate::failure::Failure;
use crate::ids::{ProofId, TaskId, WorkerId};
use crate::proof_spec::{ProofSpec, Root};
use crate::refusal::Refusal;
use crate::state::{ProofResult, RunStart, TaskChangeKind};

/// When a worker's word on a proof may be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledge {
    /// Now: the outcome is stored, or the word does not matter.
    Now,
    /// Once the outcome is stored.
    WhenStored,
}

/// A worker's word that a proof failed.
pub(crate) struct ProofReport {
    /// Empty for a tool that is no worker.
    pub(crate) worker: WorkerId,
    pub(crate) proof: ProofId,
    pub(crate) task: Option<TaskId>,
    pub(crate) failure: Failure,
    pub(crate) extra_data: String,
}

impl Reactor<'_> {
    /// A proof is to be made. Submitted again under the same name, it changes nothing.
    pub(crate) fn proof_submitted(&mut self, spec: ProofSpec) -> Result<Option<TaskId>, Refusal> {
        let id = spec.proof_id.clone();
        if let Some(proof) = self.core.proof(&id) {
            if proof.ended.is_some() {
                return Err(Refusal::ProofEnded(id));
            }
            if proof.spec.kind != spec.kind {
                return Err(Refusal::IdTaken(id.to_string()));
            }
            return Ok(proof.root.clone());
        }
        let reserve = self.reserve(&spec);
        tracing::info!(proof = %id, kind = ?spec.kind, "proof submitted");
        self.core.add_proof(spec, reserve);
        let root = self.create_root(&id, self.now);
        self.dispatch();
        Ok(root)
    }

    /// What a worker must be able to give to the heaviest child of the proof's Controller. A wrap is the heaviest, where the mode has one.
    pub(super) fn reserve(&self, spec: &ProofSpec) -> u32 {
        if spec.kind != Root::Prove {
            return 0;
        }
        let weights = &self.core.config().weights;
        let wrap = match spec.inputs.get(2).map(String::as_str) {
            Some("3") => weights.plonk_wrap,
            Some("4") => weights.groth16_wrap,
            _ => 0,
        };
        weights.core_execute.max(wrap)
    }

    /// Makes the root task of a proof's present run. It waits until the run is stored, and then until the given time.
    pub(super) fn create_root(&mut self, proof_id: &ProofId, not_before: Millis) -> Option<TaskId> {
        let id = self.ids.task();
        let held = Phase::Held(Held::Storing(not_before));
        let shards = self.core.shard_size();
        if let Some(proof) = self.core.proof_mut(proof_id) {
            proof.shards = (proof.spec.kind == Root::Prove).then_some(shards);
        }
        let id = self.add_root(proof_id, id, held)?;
        let proof = self.core.proof(proof_id)?;
        let attempts = proof.attempts();
        let (run, shards) = (proof.run, proof.shards);
        let root_type = proof.spec.kind.task_type()?;
        self.out.begin_run(RunStart {
            proof: proof_id.clone(),
            run,
            root: id.clone(),
            root_type,
            attempts,
            shards,
        });
        Some(id)
    }

    /// A run is stored: its root may go to a worker. False if nobody waits for that.
    pub(crate) fn run_stored(&mut self, proof: &ProofId, run: u32) -> bool {
        let Some((root, not_before)) = self.storing(proof, run) else {
            return false;
        };
        if let Some(known) = self.core.proof_mut(proof) {
            known.refused = None;
        }
        self.core.set_phase(&root, self.waiting_until(not_before));
        self.dispatch();
        true
    }

    /// A run that waits until it is stored need not begin: the proof that one before it made is there.
    pub(crate) fn proof_made(&mut self, proof: &ProofId, run: u32) {
        let Some((root, _)) = self.storing(proof, run) else {
            return;
        };
        tracing::info!(%proof, "the proof is in the store already");
        self.drop_task(&root);
        if let Some(known) = self.core.proof_mut(proof) {
            known.take_back_run();
        }
        let extra_data = String::new();
        self.end_proof(proof, ProofResult::Succeeded { extra_data });
    }

    /// Whether a run waits until it is stored.
    pub(crate) fn is_storing(&self, proof: &ProofId, run: u32) -> bool {
        self.storing(proof, run).is_some()
    }

    /// The root of a run that waits until it is stored, and until when it waits then.
    fn storing(&self, proof: &ProofId, run: u32) -> Option<(TaskId, Millis)> {
        let known = self.core.proof(proof).filter(|known| known.run == run)?;
        let root = self.core.task(known.root.as_ref()?)?;
        match *root.phase() {
            Phase::Held(Held::Storing(not_before)) => Some((root.id.clone(), not_before)),
            _ => None,
        }
    }

    /// A run is not stored, and will not be until people change something. It is tried again meanwhile.
    pub(crate) fn run_refused(&mut self, proof: &ProofId, run: u32, why: String) {
        if let Some(known) = self.core.proof_mut(proof).filter(|known| known.run == run) {
            known.refused = Some(why);
        }
    }

    pub(super) fn add_root(
        &mut self,
        proof_id: &ProofId,
        id: TaskId,
        phase: Phase,
    ) -> Option<TaskId> {
        let proof = self.core.proof(proof_id)?;
        let kind = proof.spec.kind.task_type()?;
        let run = proof.run;
        let data = root_data(kind, &proof.spec);
        self.core
            .add_task(id.clone(), proof_id, kind, &data.to_bytes(), phase);
        let weight = self.core.task(&id)?.weight;
        self.core.proof_mut(proof_id)?.root = Some(id.clone());
        let created = TaskChangeKind::Created {
            weight,
            root: true,
            run,
        };
        self.record(&id, created);
        Some(id)
    }

    /// A worker made the proof. It counts whichever run it comes from: the proof is there, and its input is gone.
    pub(crate) fn proof_completed(
        &mut self,
        worker: &WorkerId,
        id: &ProofId,
        extra_data: String,
    ) -> Result<Acknowledge, Refusal> {
        self.seen(worker);
        if let Some(ended) = self.ended(id)? {
            return Ok(ended);
        }
        let root = self.core.proof(id).and_then(|proof| proof.root.clone());
        if let Some(root) = &root {
            let done = TaskChangeKind::Succeeded {
                metadata: String::new(),
                gpu_ms: 0,
            };
            self.settle(worker, root, Phase::Succeeded, done);
        }
        self.end_proof(id, ProofResult::Succeeded { extra_data });
        self.dispatch();
        Ok(Acknowledge::WhenStored)
    }

    /// A worker says that the proof can not be made. It must work on the present run: what an earlier run met says nothing.
    pub(crate) fn proof_failed(&mut self, report: ProofReport) -> Result<Acknowledge, Refusal> {
        self.seen(&report.worker);
        if let Some(ended) = self.ended(&report.proof)? {
            return Ok(ended);
        }
        let id = &report.proof;
        let current = match &report.task {
            Some(task) => {
                let task = self.core.task(task).filter(|task| task.proof == *id);
                let holder = task.and_then(|task| task.worker());
                holder.is_some_and(|holder| holder.pod() == report.worker.pod())
            }
            None => self.works_on(&report.worker, id),
        };
        if !current && !report.worker.is_empty() {
            tracing::info!(proof = %id, worker = %report.worker, message = report.failure.message, "failure of an earlier run is ignored");
            return Ok(Acknowledge::Now);
        }
        let root = self.core.proof(id).and_then(|proof| proof.root.clone());
        let task = report.task.or(root);
        let mut failure = report.failure;
        if let Some(known) = task.as_ref().and_then(|task| self.core.task(task)) {
            let kind = failure.task_type.unwrap_or(known.kind);
            failure = failure.of(known.id.clone(), kind);
        }
        if let Some(task) = &task {
            let failed = TaskChangeKind::Failed(failure.clone());
            self.settle(&report.worker, task, Phase::Failed, failed);
        }
        let result = ProofResult::Failed {
            failure,
            extra_data: report.extra_data,
        };
        self.end_proof(id, result);
        self.dispatch();
        Ok(Acknowledge::WhenStored)
    }

    /// A proof is not wanted any more.
    pub(crate) fn proof_cancelled(
        &mut self,
        id: &ProofId,
        reason: &str,
    ) -> Result<Acknowledge, Refusal> {
        if let Some(ended) = self.ended(id)? {
            return Ok(ended);
        }
        let reason = reason.to_owned();
        self.end_proof(id, ProofResult::Cancelled { reason });
        self.dispatch();
        Ok(Acknowledge::WhenStored)
    }

    /// The outcome of a proof is stored, or nobody wants it.
    pub(crate) fn proof_stored(&mut self, id: &ProofId) {
        if let Some(proof) = self.core.proof_mut(id)
            && let Some(ended) = &mut proof.ended
        {
            ended.stored = true;
            self.end_links(id);
        }
        self.out.settled(id);
    }

    /// A proof is dropped with all memory of it; there is no outcome to store.
    pub(crate) fn proof_forgotten(&mut self, id: &ProofId) -> Option<u32> {
        let run = self.core.proof(id)?.run;
        self.clear(id);
        self.end_links(id);
        self.core.remove_proof(id);
        self.out.settled(id);
        self.dispatch();
        Some(run)
    }

    /// A proof gets another place in the order.
    pub(crate) fn priority_set(&mut self, id: &ProofId, priority: i32) -> bool {
        self.core.set_priority(id, priority)
    }

    /// A proof is wanted at another time, or at none.
    pub(crate) fn deadline_set(&mut self, id: &ProofId, deadline: Option<Millis>) -> bool {
        self.core.set_deadline(id, deadline)
    }

    /// How a word on a proof that has ended is acknowledged.
    fn ended(&self, id: &ProofId) -> Result<Option<Acknowledge>, Refusal> {
        let Some(proof) = self.core.proof(id) else {
            return Err(Refusal::UnknownProof(id.clone()));
        };
        Ok(proof.ended.map(|ended| match ended.stored {
            true => Acknowledge::Now,
            false => Acknowledge::WhenStored,
        }))
    }
}

fn root_data(kind: TaskType, spec: &ProofSpec) -> TaskData {
    TaskData {
        task_type: kind.into(),
        inputs: spec.inputs.clone(),
        outputs: spec.outputs.clone(),
        metadata: String::new(),
        proof_id: spec.proof_id.to_string(),
        parent_id: None,
        weight: 0,
        requester: spec.requester.clone(),
    }
}
