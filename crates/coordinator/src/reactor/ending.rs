//! How proofs end.

use super::Reactor;
use crate::core::{Ended, Phase};
use crate::failure::Failure;
use crate::ids::{ProofId, TaskId, WorkerId};
use crate::state::{ProofOutcome, ProofResult, TaskChangeKind};

impl Reactor<'_> {
    /// Fails a proof that has not ended.
    pub(super) fn fail_live_proof(&mut self, proof: &ProofId, failure: Failure, extra: String) {
        let result = ProofResult::Failed {
            failure,
            extra_data: extra,
        };
        self.end_proof(proof, result);
    }

    /// Ends a proof: its tasks are dropped, its streams closed, its outcome goes to the state.
    pub(super) fn end_proof(&mut self, id: &ProofId, result: ProofResult) {
        let Some(proof) = self.core.proof(id) else {
            return;
        };
        if proof.ended.is_some() {
            return;
        }
        // What is in the store was verified, whatever became of who made it.
        let result = match result {
            ProofResult::Failed { .. } if proof.finished => ProofResult::Succeeded {
                extra_data: String::new(),
            },
            result => result,
        };
        let progress = proof.progress();
        let created_at = proof.spec.created_at_ms;
        match &result {
            ProofResult::Succeeded { .. } => tracing::info!(proof = %id, "proof succeeded"),
            ProofResult::Failed { failure, .. } => {
                tracing::warn!(proof = %id, class = %failure.class, message = failure.message, "proof failed");
            }
            ProofResult::Cancelled { reason } => {
                tracing::info!(proof = %id, reason, "proof cancelled")
            }
        }
        self.clear(id);
        if let Some(proof) = self.core.proof_mut(id) {
            proof.ended = Some(Ended {
                at: self.now,
                stored: false,
            });
        }
        self.out.finish(ProofOutcome {
            proof: id.clone(),
            result,
            progress,
            created_at,
            finished_at: self.now,
        });
    }

    /// Drops all that a proof has.
    pub(super) fn clear(&mut self, id: &ProofId) {
        let Some(proof) = self.core.proof_mut(id) else {
            return;
        };
        for task in &proof.tasks.take() {
            self.drop_task(task);
        }
        self.clear_strays(id);
        self.close_subs(id);
        if let Some(proof) = self.core.proof_mut(id) {
            proof.dropped.clear();
            proof.dropped.shrink_to_fit();
            proof.root = None;
        }
    }

    /// Puts a task into its last phase by its own worker's word. That worker is not told to stop, but expected to let go of it; another that has it is.
    pub(super) fn settle(
        &mut self,
        worker: &WorkerId,
        id: &TaskId,
        phase: Phase,
        kind: TaskChangeKind,
    ) {
        let Some(task) = self.core.task(id) else {
            return;
        };
        if task.phase().is_final() {
            return;
        }
        let (proof, holder) = (task.proof.clone(), task.worker().cloned());
        match holder {
            Some(holder) if holder.pod() == worker.pod() => {
                self.core.update_worker(&holder, |w| {
                    if let Some(hold) = w.hold_mut(id) {
                        hold.ended = Some(None);
                    }
                });
            }
            Some(other) => self.cancel_on(&other, &proof, id),
            None => {}
        }
        self.core.set_phase(id, phase);
        self.record(id, kind);
    }
}
