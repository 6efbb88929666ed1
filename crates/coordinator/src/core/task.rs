//! Tasks, and their way through the phases.

use std::cmp::Reverse;

use bytes::Bytes;
use provost_proto::worker::{TaskData, TaskStatus, TaskType};
use provost_scheduler::{Pod, TaskKey};

use super::kinds::stage_of;
use super::tally::{LastWorker, Tally};
use super::{Core, LinkId, Proof};
use crate::Millis;
use crate::failure::Failure;
use crate::ids::{ProofId, SubId, TaskId, WorkerId};
use crate::shards::ShardSize;

/// One unit of work, or a marker.
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) proof: ProofId,
    pub(crate) kind: TaskType,
    /// Memory, in GiB.
    pub(crate) weight: u32,
    /// Memory, in GiB, that some worker must be able to give to its children while it runs.
    pub(super) reserve: u32,
    /// Its place among its proof's tasks: the later stage first, then the older.
    pub(crate) rank: (Reverse<u8>, u64),
    /// What the scheduler calls it, while it waits or runs.
    pub(super) key: Option<TaskKey>,
    /// The encoded [`TaskData`] that goes to the worker; dropped once the task is final.
    pub(crate) data: Option<Bytes>,
    /// Assignments so far.
    pub(crate) attempt: u32,
    /// Failed attempts. For a task that restarts its proof the proof's own tally counts instead, since the task does not survive.
    pub(crate) tally: Tally,
    /// Where its last attempt was.
    pub(crate) last_worker: Option<LastWorker>,
    /// A pod that it should not go to, if there is another.
    pub(crate) avoid: Option<Pod>,
    /// Subscriptions that wait for the result.
    pub(crate) subs: Vec<SubId>,
    /// Processes that wait for the result, or have not taken it in: the creator's, and those that watch.
    pub(crate) takers: Vec<LinkId>,
    /// The process that keeps the result until all of them have.
    pub(crate) keeper: Option<LinkId>,
    /// Workers that were given up, came back, and go on with it, while it was begun again elsewhere.
    pub(crate) also: Vec<WorkerId>,
    /// Why its worker was given up, while it waits to see whether that comes back before the proof is begun again for it.
    pub(crate) adrift: Option<Box<Failure>>,
    pub(super) phase: Phase,
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A marker: it waits to be completed, no worker runs it.
    Marker,
    /// Not to be given to a worker yet.
    Held(Held),
    /// In the queue.
    Queued,
    /// In the queue from the given time on.
    Delayed(Millis),
    /// With a worker, which holds it.
    Assigned(WorkerId),
    Succeeded,
    Failed,
}

/// Why a task is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// It may run somewhere: not all workers have told a new leader what they run.
    Recovery,
    /// It is a root whose run is not stored yet; after that it waits until the given time.
    Storing(Millis),
}

impl Phase {
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    pub(crate) const fn status(&self) -> TaskStatus {
        match self {
            Self::Marker | Self::Held(_) | Self::Queued | Self::Delayed(_) => TaskStatus::Pending,
            Self::Assigned(_) => TaskStatus::Running,
            Self::Succeeded => TaskStatus::Succeeded,
            Self::Failed => TaskStatus::FailedFatal,
        }
    }
}

/// Whether a task of this type restarts its proof when it has to run again. What the Controller has taken in can not be replaced piecemeal, and
/// CoreExecute feeds it.
pub(crate) const fn is_unit(kind: TaskType) -> bool {
    matches!(
        kind,
        TaskType::Controller | TaskType::CoreExecute | TaskType::ExecuteOnly
    )
}

impl Task {
    pub(crate) fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The worker that has it now.
    pub(crate) fn worker(&self) -> Option<&WorkerId> {
        match &self.phase {
            Phase::Assigned(worker) => Some(worker),
            _ => None,
        }
    }
}

impl Core {
    pub(crate) fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.get(id).map(Box::as_ref)
    }

    /// The tasks of a proof that are not final.
    pub(crate) fn open_tasks<'a>(&'a self, proof: &'a Proof) -> impl Iterator<Item = &'a Task> {
        proof.tasks.open().filter_map(|id| self.task(id))
    }

    /// A task's own fields; its phase is changed by [`Core::set_phase`].
    pub(crate) fn task_mut(&mut self, id: &str) -> Option<&mut Task> {
        self.tasks.get_mut(id).map(Box::as_mut)
    }

    /// Adds a task to a proof, in the given phase. `data` gets our weight, and what a CoreExecute is told of its shards. Does nothing if the proof is not there.
    pub(crate) fn add_task(
        &mut self,
        id: TaskId,
        proof: &ProofId,
        kind: TaskType,
        data: &[u8],
        phase: Phase,
    ) {
        let seq = self.next_seq();
        let weight = self.config.weights.of(kind);
        let Some(owner) = self.proofs.get_mut(proof) else {
            return;
        };
        owner.tasks.add(id.clone());
        let reserve = if kind == TaskType::Controller {
            owner.reserve
        } else {
            0
        };
        let order = match kind {
            TaskType::CoreExecute => owner.shards.map(ShardSize::order),
            _ => None,
        };
        let order = order.unwrap_or_default();
        let task = Task {
            id: id.clone(),
            proof: proof.clone(),
            kind,
            weight,
            reserve,
            rank: (Reverse(stage_of(kind)), seq),
            key: None,
            data: Some(TaskData::with_order(data, weight, &order)),
            attempt: 0,
            tally: Tally::default(),
            last_worker: None,
            avoid: None,
            subs: Vec::new(),
            takers: Vec::new(),
            keeper: None,
            also: Vec::new(),
            adrift: None,
            phase,
        };
        owner.count(kind, &task.phase, 1);
        owner.steps += 1;
        self.total_tasks += 1;
        self.tasks.insert(id.clone(), Box::new(task));
        self.dirty.insert(proof.clone());
        self.reschedule(&id, &Phase::Marker);
    }

    /// Moves a task to another phase, and with it the counts and the schedule. The hold of the worker that had it is the caller's to end.
    pub(crate) fn set_phase(&mut self, id: &TaskId, phase: Phase) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        if phase.is_final() {
            task.data = None;
        }
        let old = std::mem::replace(&mut task.phase, phase);
        if let Some(proof) = self.proofs.get_mut(&task.proof) {
            proof.count(task.kind, &old, -1);
            proof.count(task.kind, &task.phase, 1);
            proof.steps += 1;
            if task.phase.is_final() {
                proof.tasks.close(id);
            }
        }
        self.dirty.insert(task.proof.clone());
        self.reschedule(id, &old);
    }

    /// Forgets a task altogether. Its hold is the caller's to end.
    pub(crate) fn remove_task(&mut self, id: &TaskId) -> Option<Task> {
        self.unschedule(id);
        let task = self.tasks.remove(id)?;
        if let Some(proof) = self.proofs.get_mut(&task.proof) {
            proof.count(task.kind, &task.phase, -1);
            proof.tasks.remove(id);
            self.dirty.insert(task.proof.clone());
        }
        Some(*task)
    }
}
