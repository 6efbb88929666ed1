//! Tasks, from when they are added until they are over.

use super::Scheduler;
use crate::Millis;
use crate::error::Refused;
use crate::fleet::Pod;
use crate::keys::{HoldKey, ProofKey, TaskKey, WorkerKey};
use crate::order::Rank;
use crate::queue::EntryId;
use crate::shape::{Shape, ShapeId};

/// A task as it is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// The proof that it is part of.
    pub proof: ProofKey,
    /// What it asks of a worker.
    pub shape: Shape,
    /// How close to the end of its proof it is: the higher goes first. See [`TaskKind::stage`](crate::TaskKind::stage).
    pub stage: u8,
    /// A worker that it had better go to, if it fits there.
    pub prefer: Option<WorkerKey>,
    /// A pod that it should not go to, if there is another.
    pub avoid: Option<Pod>,
    /// It waits until then at least; 0 for not at all.
    pub not_before: Millis,
}

impl TaskSpec {
    /// A task that may run anywhere, at once.
    pub const fn new(proof: ProofKey, shape: Shape, stage: u8) -> Self {
        Self {
            proof,
            shape,
            stage,
            prefer: None,
            avoid: None,
            not_before: 0,
        }
    }
}

/// How a task is to go again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requeue {
    /// It waits until then at least.
    pub not_before: Millis,
    /// A pod that it should not go to, if there is another.
    pub avoid: Option<Pod>,
    /// The least capacity of its next worker, in GiB; 0 to leave it as it is.
    pub min_capacity: u32,
}

/// What becomes of the room that a task has on its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It is free: the worker has let go of the task.
    Freed,
    /// It stays taken: the worker is yet to stop. See [`Scheduler::release`].
    Kept,
}

/// A task.
pub(crate) struct Task {
    pub(crate) proof: ProofKey,
    pub(crate) shape: ShapeId,
    pub(crate) entry: EntryId,
    pub(crate) rank: Rank,
    pub(crate) state: State,
    /// Few tasks have any, and there may be a million tasks.
    pub(super) hints: Option<Box<Hints>>,
}

/// Where a task had better go, or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hints {
    pub(super) prefer: Option<WorkerKey>,
    pub(super) avoid: Option<Pod>,
}

impl Hints {
    pub(super) fn new(prefer: Option<WorkerKey>, avoid: Option<Pod>) -> Option<Box<Self>> {
        (prefer.is_some() || avoid.is_some()).then(|| Box::new(Self { prefer, avoid }))
    }
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// In the queue.
    Waiting,
    /// It waits out a time.
    Delayed(Millis),
    /// With a worker.
    Held(HoldKey),
    /// Its worker is gone, and nobody has said yet what is to become of it.
    Adrift,
}

impl Scheduler {
    /// Adds a task that waits.
    ///
    /// # Errors
    /// [`Refused::UnknownProof`].
    pub fn add_task(&mut self, spec: TaskSpec) -> Result<TaskKey, Refused> {
        let key = self.new_task(&spec)?;
        self.wait(key, spec.not_before);
        Ok(key)
    }

    /// Adds a task that a worker has already, whether there is room for it or not.
    ///
    /// # Errors
    /// [`Refused::UnknownProof`], [`Refused::UnknownWorker`].
    pub fn adopt(&mut self, spec: TaskSpec, worker: WorkerKey) -> Result<TaskKey, Refused> {
        let worker = self.fleet.number(worker).ok_or(Refused::UnknownWorker)?;
        let key = self.new_task(&spec)?;
        self.hold(key, worker, false);
        Ok(key)
    }

    /// A worker turns out to have a task that waits, or whose worker was thought gone.
    ///
    /// # Errors
    /// [`Refused::UnknownTask`], [`Refused::UnknownWorker`]; [`Refused::NotWaiting`] if another worker has it.
    pub fn found_on(&mut self, task: TaskKey, worker: WorkerKey) -> Result<(), Refused> {
        let found = self.tasks.get(task).ok_or(Refused::UnknownTask)?;
        if matches!(found.state, State::Held(_)) {
            return Err(Refused::NotWaiting);
        }
        let worker = self.fleet.number(worker).ok_or(Refused::UnknownWorker)?;
        if matches!(found.state, State::Delayed(_)) {
            self.leave(task);
        }
        self.hold(task, worker, false);
        Ok(())
    }

    /// A task is over, and its worker has let go of it. The same as [`Scheduler::remove_task`] with [`Room::Freed`].
    ///
    /// # Errors
    /// [`Refused::UnknownTask`].
    pub fn complete(&mut self, task: TaskKey) -> Result<(), Refused> {
        self.remove_task(task, Room::Freed).map(|_| ())
    }

    /// Forgets a task, wherever it is. If a worker has it and the room is kept, the answer names the hold to release later.
    ///
    /// # Errors
    /// [`Refused::UnknownTask`].
    pub fn remove_task(&mut self, task: TaskKey, room: Room) -> Result<Option<HoldKey>, Refused> {
        let hold = self.vacate(task, room)?;
        if let Some(found) = self.tasks.remove(task)
            && let Some(proof) = self.proofs.get_mut(found.proof)
        {
            proof.tasks -= 1;
        }
        Ok(hold)
    }

    /// Lets a task that was with a worker wait again, in its old place. If the room is kept, the answer names the hold to release later.
    ///
    /// # Errors
    /// [`Refused::UnknownTask`]; [`Refused::AlreadyWaiting`].
    pub fn requeue(
        &mut self,
        task: TaskKey,
        again: Requeue,
        room: Room,
    ) -> Result<Option<HoldKey>, Refused> {
        let found = self.tasks.get(task).ok_or(Refused::UnknownTask)?;
        if matches!(found.state, State::Waiting | State::Delayed(_)) {
            return Err(Refused::AlreadyWaiting);
        }
        let hold = self.vacate(task, room)?;
        if let Some(found) = self.tasks.get_mut(task) {
            let prefer = found.hints.as_ref().and_then(|hints| hints.prefer);
            found.hints = Hints::new(prefer, again.avoid);
            let (proof, shape) = (found.proof, *self.queue.shape(found.shape));
            if again.min_capacity > shape.min_capacity {
                let shape = self.shape_id(shape.with_min_capacity(again.min_capacity));
                if let Some(entry) = self.entry(proof, shape)
                    && let Some(found) = self.tasks.get_mut(task)
                {
                    (found.shape, found.entry) = (shape, entry);
                }
            }
        }
        self.wait(task, again.not_before);
        Ok(hold)
    }

    /// Lets a task that waits do so until a time at least; 0 to end its wait.
    ///
    /// # Errors
    /// [`Refused::UnknownTask`]; [`Refused::NotWaiting`].
    pub fn delay(&mut self, task: TaskKey, until: Millis) -> Result<(), Refused> {
        let found = self.tasks.get(task).ok_or(Refused::UnknownTask)?;
        if !matches!(found.state, State::Waiting | State::Delayed(_)) {
            return Err(Refused::NotWaiting);
        }
        self.leave(task);
        self.wait(task, until);
        Ok(())
    }

    /// A worker has let go at last of what it held of a task that was given up.
    ///
    /// # Errors
    /// [`Refused::UnknownHold`]: the worker is gone, or the hold has been released.
    pub fn release(&mut self, hold: HoldKey) -> Result<(), Refused> {
        let found = self.fleet.hold_of(hold).ok_or(Refused::UnknownHold)?;
        if found.task.is_some() {
            // It runs: it ends with its task.
            return Err(Refused::UnknownHold);
        }
        if let Some(hold) = self.fleet.release(hold) {
            self.refund_late(&hold);
        }
        Ok(())
    }

    /// The worker that has a task.
    pub fn worker_of(&self, task: TaskKey) -> Option<WorkerKey> {
        match self.tasks.get(task)?.state {
            State::Held(hold) => self.fleet.key(self.fleet.hold_of(hold)?.worker),
            _ => None,
        }
    }

    /// What a task asks of a worker: what was said when it was added, and what was learnt since.
    pub fn shape_of(&self, task: TaskKey) -> Option<&Shape> {
        Some(self.queue.shape(self.tasks.get(task)?.shape))
    }
}
