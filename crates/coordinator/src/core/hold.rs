//! What takes up room on workers.

use provost_proto::worker::TaskType;
use provost_scheduler::{Class, HoldKey, Shape, WorkerKey};

use super::Core;
use super::kinds::{class, shape_of};
use crate::Millis;
use crate::ids::{ProofId, TaskId, WorkerId};

/// How many finished tasks a worker is remembered for.
const MAX_RECENT: usize = 256;

/// A task that takes up room on a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) proof: ProofId,
    pub(crate) kind: TaskType,
    pub(crate) weight: u32,
    /// Which attempt at the task it is.
    pub(crate) attempt: u32,
    /// When the attempt began.
    pub(crate) began_at: Millis,
    /// When it was last sent there.
    pub(crate) sent_at: Millis,
    /// How often it was sent again.
    pub(crate) resends: u32,
    /// Set once the worker should let go of it: when it was told so, or `None` if it lets go by itself.
    pub(crate) ended: Option<Option<Millis>>,
    /// The room that it takes up, once it is no task's any more.
    pub(super) room: Option<HoldKey>,
}

impl Hold {
    /// An attempt that is sent to a worker now.
    pub(crate) const fn new(
        proof: ProofId,
        kind: TaskType,
        weight: u32,
        attempt: u32,
        now: Millis,
    ) -> Self {
        Self {
            proof,
            kind,
            weight,
            attempt,
            began_at: now,
            sent_at: now,
            resends: 0,
            ended: None,
            room: None,
        }
    }

    /// The same, when it began so long ago.
    #[must_use]
    pub(crate) const fn ran(mut self, for_millis: Millis) -> Self {
        self.began_at = self.began_at.saturating_sub(for_millis);
        self
    }

    /// The same, when the worker is to let go of it.
    #[must_use]
    pub(crate) const fn ended(mut self, told: Option<Millis>) -> Self {
        self.ended = Some(told);
        self
    }

    pub(crate) const fn is_live(&self) -> bool {
        self.ended.is_none()
    }
}

impl Core {
    /// Puts a task on its worker: it has its room there by its phase.
    pub(crate) fn hold(&mut self, worker: &str, task: &TaskId, hold: Hold) {
        self.release(worker, task);
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.holds.insert(task.clone(), hold);
        }
    }

    /// A worker has what is no task of its by our books: it takes up room from now on.
    pub(crate) fn occupy(&mut self, worker: &str, task: &TaskId, mut hold: Hold) {
        self.release(worker, task);
        let Some(key) = self.workers.get(worker).and_then(|worker| worker.key) else {
            return;
        };
        hold.room = self.room_for(worker, &hold, key);
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.holds.insert(task.clone(), hold);
        }
    }

    /// The worker let go of a task. If that is still its task, its phase has to change.
    pub(crate) fn release(&mut self, worker: &str, task: &str) -> Option<Hold> {
        let hold = self.workers.get_mut(worker)?.holds.remove(task)?;
        if let Some(room) = hold.room {
            self.schedule.release(room);
        }
        Some(hold)
    }

    /// The worker says itself that it is done with a task: it lets go of it now, though a heartbeat on its way may still name it.
    pub(crate) fn release_finished(&mut self, worker: &str, task: &TaskId, now: Millis) -> bool {
        if self.release(worker, task).is_none() {
            return false;
        }
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.recent.push_back((task.clone(), now));
            if worker.recent.len() > MAX_RECENT {
                worker.recent.pop_front();
            }
        }
        true
    }

    /// A worker is another one to the scheduler from now on: what it has goes over.
    pub(super) fn move_holds(&mut self, id: &WorkerId, key: WorkerKey) {
        let Some(worker) = self.workers.get(id) else {
            return;
        };
        let held: Vec<_> = worker.holds.keys().cloned().collect();
        for task in held {
            let hold = self.workers.get_mut(id).and_then(|w| w.hold_mut(&task));
            let Some(hold) = hold else { continue };
            if hold.room.is_none() {
                self.run_on(&task, id);
                continue;
            }
            let hold = hold.clone();
            let room = self.room_for(id, &hold, key);
            if let Some(hold) = self.workers.get_mut(id).and_then(|w| w.hold_mut(&task)) {
                hold.room = room;
            }
        }
    }

    /// Takes up the room of what a worker has without our doing.
    fn room_for(&mut self, id: &str, hold: &Hold, key: WorkerKey) -> Option<HoldKey> {
        let worker = self.workers.get(id)?;
        let class = class(worker.kind).unwrap_or(Class::Cpu);
        // A Controller keeps room for its children.
        let reserve = match hold.kind {
            TaskType::Controller => self.config.weights.core_execute,
            _ => 0,
        };
        let known = shape_of(hold.kind, hold.weight, reserve, None);
        let shape = known.unwrap_or_else(|| Shape::new(class, hold.weight));
        self.schedule.occupy(shape, key)
    }
}
