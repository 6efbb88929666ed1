//! A task's way through the schedule, as its phase says.

use provost_proto::worker::TaskType;
use provost_scheduler::explain::Standing;
use provost_scheduler::{HoldKey, Requeue, Room, Shape, TaskSpec};

use super::kinds::{shape_of, stage_of, ticks};
use super::tally::LastWorker;
use super::{Core, Phase, Task};
use crate::Millis;
use crate::ids::{TaskId, WorkerId};

impl Core {
    /// Makes the schedule agree with a task's phase, which was another before.
    pub(super) fn reschedule(&mut self, id: &TaskId, old: &Phase) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        match task.phase.clone() {
            Phase::Queued => self.wait(id, old, 0),
            Phase::Delayed(until) => self.wait(id, old, until),
            Phase::Assigned(worker) => self.run_on(id, &worker),
            Phase::Marker | Phase::Held(_) | Phase::Succeeded | Phase::Failed => {
                self.leave(id, old);
            }
        }
    }

    /// Takes a task out of the schedule, wherever it is.
    pub(super) fn unschedule(&mut self, id: &TaskId) {
        if let Some(phase) = self.tasks.get(id).map(|task| task.phase.clone()) {
            self.leave(id, &phase);
        }
    }

    fn leave(&mut self, id: &TaskId, old: &Phase) {
        let room = self.room(id, old);
        let key = self.tasks.get_mut(id).and_then(|task| task.key.take());
        if let Some(key) = key {
            let hold = self.schedule.remove_task(key, room);
            self.keep_room(id, old, hold);
        }
    }

    fn wait(&mut self, id: &TaskId, old: &Phase, until: Millis) {
        let room = self.room(id, old);
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let Some(key) = task.key else {
            if let Some(spec) = self.task_spec(task, until) {
                let key = self.schedule.add_task(id, spec);
                self.set_key(id, key);
            }
            return;
        };
        let not_before = ticks(until);
        let scheduler = &mut self.schedule.scheduler;
        if !matches!(old, Phase::Assigned(_)) {
            // Who waits already only waits for another time.
            let _ = scheduler.delay(key, not_before);
            return;
        }
        let avoid = task.avoid;
        let min_capacity = self.min_capacity(task);
        let again = Requeue {
            not_before,
            avoid,
            min_capacity,
        };
        match self.schedule.scheduler.requeue(key, again, room) {
            Ok(hold) => self.keep_room(id, old, hold),
            Err(refused) => tracing::error!(task = %id, %refused, "task does not wait again"),
        }
    }

    /// A worker has the task: by the scheduler's word, or by its own.
    pub(super) fn run_on(&mut self, id: &TaskId, worker: &WorkerId) {
        let pod = self.pods.get(worker.pod()).map(|pod| pod.number);
        let (Some(known), Some(pod)) = (self.workers.get(worker), pod) else {
            return;
        };
        let capacity = known.max_weight;
        let (Some(worker), Some(task)) = (known.key, self.tasks.get_mut(id)) else {
            return;
        };
        task.last_worker = Some(LastWorker { pod, capacity });
        let Some(key) = task.key else {
            let task = self.tasks.get(id);
            if let Some(spec) = task.and_then(|task| self.task_spec(task, 0)) {
                let key = self.schedule.adopt(id, spec, worker);
                self.set_key(id, key);
            }
            return;
        };
        let scheduler = &mut self.schedule.scheduler;
        if scheduler.worker_of(key) != Some(worker)
            && let Err(refused) = scheduler.found_on(key, worker)
        {
            tracing::error!(task = %id, %refused, "task is not where it was found");
        }
    }

    /// Whether its worker still holds the task: then the room is free only once it lets go.
    fn room(&self, id: &TaskId, phase: &Phase) -> Room {
        let worker = match phase {
            Phase::Assigned(worker) => self.workers.get(worker),
            _ => None,
        };
        match worker.is_some_and(|worker| worker.holds().contains_key(id)) {
            true => Room::Kept,
            false => Room::Freed,
        }
    }

    fn keep_room(&mut self, id: &TaskId, phase: &Phase, room: Option<HoldKey>) {
        if let Phase::Assigned(worker) = phase
            && let Some(hold) = self.workers.get_mut(worker).and_then(|w| w.hold_mut(id))
        {
            hold.room = room;
        }
    }

    fn set_key(&mut self, id: &TaskId, key: Option<provost_scheduler::TaskKey>) {
        if let Some(task) = self.tasks.get_mut(id) {
            task.key = key;
        }
    }

    /// What keeps a task from a worker; `None` if it does not wait for one.
    pub(crate) fn standing(&self, task: &Task) -> Option<Standing> {
        self.schedule.scheduler.explain(task.key?)
    }

    /// Memory that a task needs, as far as that is known, in GiB.
    pub(crate) fn needed(&self, task: &Task) -> u32 {
        task.weight.max(self.min_capacity(task))
    }

    /// What a task asks of a worker.
    fn shape(&self, task: &Task) -> Option<Shape> {
        let shards = self.proofs.get(&task.proof)?.shards;
        let shape = shape_of(task.kind, task.weight, task.reserve, shards)?;
        Some(shape.with_min_capacity(self.min_capacity(task)))
    }

    fn task_spec(&self, task: &Task, not_before: Millis) -> Option<TaskSpec> {
        let proof = self.proofs.get(&task.proof)?;
        // Controller and CoreExecute are lost together: on one worker they are lost half as often.
        let home = proof
            .root
            .as_ref()
            .filter(|_| task.kind == TaskType::CoreExecute);
        let home = home.and_then(|root| self.workers.get(self.tasks.get(root)?.worker()?));
        Some(TaskSpec {
            proof: proof.key?,
            shape: self.shape(task)?,
            stage: stage_of(task.kind),
            prefer: home.and_then(|worker| worker.key),
            avoid: task.avoid,
            not_before: ticks(not_before),
        })
    }
}
