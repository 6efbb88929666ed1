//! What a process had when it was given up: it may come back, or turn out to have gone for another reason than was thought.

use provost_proto::worker::TaskType;
use provost_scheduler::retry::{Decision, FailureClass};

use super::tally::{LastWorker, Lot, Tally};
use super::{Core, Phase};
use crate::Millis;
use crate::ids::{ProofId, TaskId};

/// What a process had when it was given up.
#[derive(Clone, Debug)]
pub(crate) struct Departure {
    /// The kind of loss that was counted.
    pub(crate) class: FailureClass,
    /// Weight of the heaviest of its tasks.
    pub(crate) heaviest: u32,
    pub(crate) tasks: Vec<Lost>,
}

/// A task that was lost with its process.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    pub(crate) proof: ProofId,
    pub(crate) task: TaskId,
    pub(crate) kind: TaskType,
    pub(crate) weight: u32,
    last_worker: Option<LastWorker>,
}

impl Core {
    /// A task as it is when its process is given up.
    pub(crate) fn lost(&self, id: &TaskId) -> Option<Lost> {
        let task = self.tasks.get(id)?;
        Some(Lost {
            proof: task.proof.clone(),
            task: id.clone(),
            kind: task.kind,
            weight: task.weight,
            last_worker: task.last_worker,
        })
    }

    /// The process is back: that its task was lost does not count.
    pub(crate) fn forgive(&mut self, lost: &Lost, class: FailureClass) {
        let Some(last) = lost.last_worker else { return };
        let mut forgive = |tally: &mut Tally| tally.forgive(class, last.pod);
        if let Some(proof) = self.proofs.get_mut(&lost.proof) {
            // A unit is counted there alone, a leaf there too.
            proof.tallies.get_mut(&lost.kind).map(&mut forgive);
        }
        if let Some(task) = self.tasks.get_mut(&lost.task) {
            forgive(&mut task.tally);
        }
    }

    /// The process is gone for another reason: its task was lost for that. Says what follows, if the task is still there or was one that its proof
    /// begins again with.
    pub(crate) fn recount(
        &mut self,
        lost: &Lost,
        from: FailureClass,
        to: FailureClass,
        lot: Lot,
        now: Millis,
    ) -> Option<Decision> {
        self.forgive(lost, from);
        let (policy, failure) = self.judge_lost(lost, to, lot, now)?;
        let proof = self.proofs.get_mut(&lost.proof)?;
        let unit = proof.restarts_with(lost.kind);
        let tally = proof.tallies.entry(lost.kind).or_default();
        let counted = tally.fail(&policy, &failure, 0);
        if unit {
            return Some(counted);
        }
        let task = self.tasks.get_mut(&lost.task)?;
        let decision = task.tally.fail(&policy, &failure, 0);
        self.reshape(&lost.task);
        Some(decision)
    }

    /// A task may need a larger worker than it waits for.
    pub(super) fn reshape(&mut self, id: &TaskId) {
        let phase = self.tasks.get(id).map(|task| task.phase.clone());
        if matches!(phase, Some(Phase::Queued | Phase::Delayed(_))) {
            self.unschedule(id);
            self.reschedule(id, &Phase::Marker);
        }
    }
}

impl Lost {
    pub(super) const fn last_worker(&self) -> Option<LastWorker> {
        self.last_worker
    }
}
