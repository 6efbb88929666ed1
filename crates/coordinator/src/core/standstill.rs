//! Proofs that do not get on.

use provost_proto::worker::TaskType;

use super::{Core, Phase, Proof, Task, in_order, is_unit};
use crate::Millis;
use crate::ids::{ProofId, TaskId};
use crate::proof_spec::Root;

impl Core {
    /// A task of the proof has said something: it gets on.
    pub(crate) fn step(&mut self, task: &TaskId) {
        let proof = self.tasks.get(task).map(|task| &task.proof);
        if let Some(proof) = proof.and_then(|proof| self.proofs.get_mut(proof)) {
            proof.steps += 1;
        }
    }

    /// Proofs in which nothing has happened for a while, though nothing of them waits for a worker, each with the task that it waits for. A proof is
    /// named once for each such while.
    pub(crate) fn standing_still(&mut self, limit: Millis, now: Millis) -> Vec<(ProofId, TaskId)> {
        let stands = |proof: &mut Proof| {
            if proof.standstill.0 != proof.steps {
                proof.standstill = (proof.steps, now);
            }
            let stands = now - proof.standstill.1 >= limit;
            if stands {
                proof.standstill.1 = now;
            }
            stands && proof.ended.is_none() && proof.spec.kind == Root::Prove
        };
        let proofs = self.proofs.iter_mut();
        let still = proofs.filter_map(|(id, proof)| stands(proof).then(|| id.clone()));
        let still = in_order(still).into_iter();
        still
            .filter_map(|id| Some((id.clone(), self.waits_for(&id)?)))
            .collect()
    }

    /// The task that a proof waits for; `None` if tasks wait for workers, or run that have a limit of their own.
    fn waits_for(&self, id: &ProofId) -> Option<TaskId> {
        let mut found: Option<(u8, &Task)> = None;
        let proof = self.proofs.get(id)?;
        for task in self.open_tasks(proof) {
            let depth = match task.phase {
                Phase::Succeeded | Phase::Failed => continue,
                Phase::Held(_) | Phase::Queued | Phase::Delayed(_) => return None,
                Phase::Assigned(_) if !is_unit(task.kind) => return None,
                Phase::Assigned(_) if task.kind == TaskType::CoreExecute => 1,
                Phase::Assigned(_) => 0,
                Phase::Marker => 2,
            };
            // Who waits for nobody else is to blame, and of those the first.
            let first = |other: &Task| task.rank < other.rank;
            if found.is_none_or(|(most, other)| depth > most || depth == most && first(other)) {
                found = Some((depth, task));
            }
        }
        found.map(|(_, task)| task.id.clone())
    }
}
