//! Workers come, go and change.

use super::Scheduler;
use super::tasks::{Room, State};
use crate::error::Refused;
use crate::fleet::{Pod, WorkerSpec};
use crate::keys::{TaskKey, WorkerKey};

impl Scheduler {
    /// Adds a worker that takes tasks.
    pub fn add_worker(&mut self, spec: WorkerSpec) -> WorkerKey {
        self.fleet.add(spec)
    }

    /// A worker is gone, and all that it held. The answer names its tasks, which are now nowhere: [requeue](Scheduler::requeue) or
    /// [remove](Scheduler::remove_task) each.
    ///
    /// # Errors
    /// [`Refused::UnknownWorker`].
    pub fn remove_worker(&mut self, worker: WorkerKey) -> Result<Vec<TaskKey>, Refused> {
        let holds = self.fleet.remove(worker).ok_or(Refused::UnknownWorker)?;
        let mut lost = Vec::new();
        for hold in holds {
            let task = hold
                .task
                .and_then(|key| Some((key, self.tasks.get_mut(key)?)));
            let Some((key, task)) = task else {
                self.refund_late(&hold);
                continue;
            };
            task.state = State::Adrift;
            let proof = task.proof;
            self.refund(proof, &hold, Room::Freed);
            lost.push(key);
        }
        Ok(lost)
    }

    /// A worker takes no more tasks, for now or for good: it drains, is silent, or without a stream. What it has goes on.
    ///
    /// # Errors
    /// [`Refused::UnknownWorker`].
    pub fn close_worker(&mut self, worker: WorkerKey) -> Result<(), Refused> {
        self.set_open(worker, false)
    }

    /// A worker takes tasks again.
    ///
    /// # Errors
    /// [`Refused::UnknownWorker`].
    pub fn open_worker(&mut self, worker: WorkerKey) -> Result<(), Refused> {
        self.set_open(worker, true)
    }

    /// Says how much a worker's tasks may take up, in GiB. What it has goes on, even if that is more.
    ///
    /// # Errors
    /// [`Refused::UnknownWorker`].
    pub fn set_capacity(&mut self, worker: WorkerKey, capacity: u32) -> Result<(), Refused> {
        let known = self.fleet.set_capacity(worker, capacity);
        known.then_some(()).ok_or(Refused::UnknownWorker)
    }

    /// Says more of a worker's pod: its node may become known late.
    ///
    /// # Errors
    /// [`Refused::UnknownWorker`].
    pub fn set_pod(&mut self, worker: WorkerKey, pod: Pod) -> Result<(), Refused> {
        let known = self.fleet.set_pod(worker, pod);
        known.then_some(()).ok_or(Refused::UnknownWorker)
    }

    /// Says how many tasks a worker proves at once; `None` for one that does not say. What it has it keeps.
    ///
    /// # Errors
    /// [`Refused::UnknownWorker`].
    pub fn set_provers(&mut self, worker: WorkerKey, provers: Option<u32>) -> Result<(), Refused> {
        let known = self.fleet.set_provers(worker, provers);
        known.then_some(()).ok_or(Refused::UnknownWorker)
    }

    fn set_open(&mut self, worker: WorkerKey, open: bool) -> Result<(), Refused> {
        let known = self.fleet.set_open(worker, open);
        known.then_some(()).ok_or(Refused::UnknownWorker)
    }
}
