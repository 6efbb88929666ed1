//! What is remembered of failed attempts.

use std::collections::BTreeSet;

use provost_proto::class_of;
use provost_proto::worker::TaskType;
use provost_scheduler::Pod;
use provost_scheduler::retry::{Decision, Failure, FailureClass, History, Place};

use super::kinds::ticks;
use super::worker::serves;
use super::{Core, Lost, Task};
use crate::Millis;
use crate::attempts::Attempts;
use crate::config::RetryPolicy;
use crate::ids::TaskId;

/// Failed attempts of a task, or of all tasks of a type. Workers that ran out of memory are counted apart from those that vanished: one says nothing of
/// the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Workers that ran out of memory.
    pub(crate) memory: History,
    /// Everything else.
    pub(crate) other: History,
}

impl Tally {
    /// As it is stored.
    pub(crate) fn attempts(&self) -> Attempts {
        Attempts::new(&self.memory, &self.other)
    }

    /// A loss of the given class does not count.
    pub(super) fn forgive(&mut self, class: FailureClass, pod: Pod) {
        match class {
            FailureClass::OutOfMemory => self.memory.forgive(class, pod),
            _ => self.other.forgive(class, pod),
        }
    }

    /// `random` is any number; all bits count.
    pub(super) fn fail(
        &mut self,
        policy: &RetryPolicy,
        failure: &Failure,
        random: u64,
    ) -> Decision {
        let history = match failure.class {
            FailureClass::OutOfMemory => &mut self.memory,
            _ => &mut self.other,
        };
        history.fail(policy, failure, random)
    }
}

impl From<&Attempts> for Tally {
    fn from(attempts: &Attempts) -> Self {
        Self {
            memory: attempts.memory(),
            other: attempts.other(),
        }
    }
}

/// What was lost at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lot {
    /// Weight of the heaviest task.
    pub(crate) heaviest: u32,
    /// Weight of the heaviest task of the proof in question.
    pub(crate) of_proof: u32,
}

/// Where a task was last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastWorker {
    pub(crate) pod: Pod,
    pub(crate) capacity: u32,
}

impl Core {
    /// Counts a failed attempt, and says what follows from it. `lot` is what was lost with the task; `random` is any number.
    pub(crate) fn attempt_failed(
        &mut self,
        id: &TaskId,
        class: FailureClass,
        lot: Lot,
        now: Millis,
        random: u64,
    ) -> Option<Decision> {
        let (policy, failure) = self.judge(id, class, lot, now)?;
        Some(self.tally_mut(id)?.fail(&policy, &failure, random))
    }

    /// The same for the tasks of its type in the proof, over all runs: a leaf dies with its run, and its own tally with it. The wait is the task's own.
    pub(crate) fn kind_failed(
        &mut self,
        id: &TaskId,
        class: FailureClass,
        lot: Lot,
        now: Millis,
    ) -> Option<Decision> {
        let (policy, failure) = self.judge(id, class, lot, now)?;
        let task = self.tasks.get(id)?;
        let proof = self.proofs.get_mut(&task.proof)?;
        let tally = proof.tallies.entry(task.kind).or_default();
        Some(tally.fail(&policy, &failure, 0))
    }

    /// Attempts at a task failed under an earlier leader: counting goes on from there.
    pub(crate) fn recall(&mut self, id: &TaskId, attempts: &Attempts) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        task.tally = Tally::from(attempts);
        self.reshape(id);
    }

    fn judge(
        &self,
        id: &TaskId,
        class: FailureClass,
        lot: Lot,
        now: Millis,
    ) -> Option<(RetryPolicy, Failure)> {
        let task = self.tasks.get(id)?;
        let proof = self.proofs.get(&task.proof)?;
        let failure = Failure {
            class,
            at: ticks(now),
            place: task.last_worker.map(|last| {
                let unit = proof.restarts_with(task.kind);
                self.place(task.kind, last, suspect(unit, task.weight, lot))
            }),
            nodes: self.nodes(task.kind),
        };
        Some((self.config.policy(proof.spec.max_retries), failure))
    }

    /// The same of a task that may be gone by now.
    pub(super) fn judge_lost(
        &self,
        lost: &Lost,
        class: FailureClass,
        lot: Lot,
        now: Millis,
    ) -> Option<(RetryPolicy, Failure)> {
        let proof = self.proofs.get(&lost.proof)?;
        let unit = proof.restarts_with(lost.kind);
        let suspect = suspect(unit, lost.weight, lot);
        let place = |last| self.place(lost.kind, last, suspect);
        let failure = Failure {
            class,
            at: ticks(now),
            place: lost.last_worker().map(place),
            nodes: self.nodes(lost.kind),
        };
        Some((self.config.policy(proof.spec.max_retries), failure))
    }

    /// The nodes with workers for tasks of a type, as far as is known.
    fn nodes(&self, kind: TaskType) -> Vec<u64> {
        let class = class_of(kind);
        let fleet = self.workers.values();
        let fleet = fleet.filter(|worker| serves(worker.kind, class));
        let nodes = fleet.filter_map(|worker| self.pods.get(worker.id.pod())?.number.node());
        nodes.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn place(&self, kind: TaskType, last: LastWorker, suspect: bool) -> Place {
        let class = class_of(kind);
        let mut fleet = self.workers.values().filter(|worker| {
            // One that goes is no place for another attempt.
            serves(worker.kind, class) && !worker.is_leaving()
        });
        Place {
            pod: last.pod,
            capacity: last.capacity,
            larger: fleet.any(|worker| worker.max_weight > last.capacity),
            suspect,
        }
    }

    /// The tally that counts for a task: its proof's where the task restarts the proof, since the task does not survive, else its own.
    fn tally_mut(&mut self, id: &TaskId) -> Option<&mut Tally> {
        let task = self.tasks.get_mut(id)?;
        let proof = self.proofs.get_mut(&task.proof)?;
        if proof.restarts_with(task.kind) {
            Some(proof.tallies.entry(task.kind).or_default())
        } else {
            Some(&mut task.tally)
        }
    }

    /// The least capacity of a worker for a task, in GiB, once it ran out of memory; 0 before.
    pub(super) fn min_capacity(&self, task: &Task) -> u32 {
        let proof = self.proofs.get(&task.proof);
        let tally = match proof.filter(|proof| proof.restarts_with(task.kind)) {
            Some(proof) => proof.tallies.get(&task.kind),
            None => Some(&task.tally),
        };
        tally.map_or(0, |tally| tally.memory.min_capacity)
    }
}

/// Whether a task may be the reason for a loss: it is the heavy ones that memory runs out for. A unit stands for its proof's leaves, whose own counts die with the
/// run.
fn suspect(unit: bool, weight: u32, lot: Lot) -> bool {
    let weight = if unit {
        weight.max(lot.of_proof)
    } else {
        weight
    };
    weight.saturating_mul(2) >= lot.heaviest
}
