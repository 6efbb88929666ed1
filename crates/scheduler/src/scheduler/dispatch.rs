//! The next decision.

use super::Scheduler;
use super::tasks::State;
use crate::Millis;
use crate::fleet::Want;
use crate::keys::{TaskKey, WorkerKey};
use crate::order::Key;
use crate::shape::{Class, ShapeId};

/// A decision: the task is with the worker now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The task.
    pub task: TaskKey,
    /// Its worker.
    pub worker: WorkerKey,
}

impl Scheduler {
    /// Gives the first waiting task that fits a worker to that worker. `None` when none fits: call again when something has happened or at
    /// [`Scheduler::wake_at`]. `now` is the time in milliseconds; one that goes back counts as one that stands still.
    ///
    /// Takes O(log n) in workers, proofs and waiting tasks; O(n) in the number of shapes that tasks wait in and of priorities that a tenant's tasks wait at.
    pub fn next(&mut self, now: Millis) -> Option<Placement> {
        self.advance(now);
        self.renew_reservations();
        // Who may pass a reservation depends on what is first in the queue, and may have changed.
        let reserved = self.fleet.has_reservations();
        for class in Class::ALL {
            self.rounds[class.index()].begin(self.fleet.epoch(class), reserved);
        }
        loop {
            let (key, shape) = self.first_untried()?;
            let Some(worker) = self.find_worker(key, shape) else {
                self.stuck[shape as usize].tried = Some(self.round(shape));
                continue;
            };
            return self.place(key, shape, worker);
        }
    }

    /// Lets time pass: waits end, proofs become urgent.
    fn advance(&mut self, now: Millis) {
        self.now = self.now.max(now);
        while let Some((at, task)) = self.delayed.first().copied()
            && at <= self.now
        {
            self.delayed.pop_first();
            if let Some(found) = self.tasks.get_mut(task) {
                found.state = State::Waiting;
                self.queue.insert(found.entry, found.rank, task);
            }
        }
        while let Some((at, proof)) = self.timers.first().copied()
            && at <= self.now
        {
            self.timers.pop_first();
            self.reckon_urgency(proof);
        }
    }

    /// The first in order of the tasks that are first in their queues, but for those that fit nowhere.
    fn first_untried(&mut self) -> Option<(Key, ShapeId)> {
        let mut first: Option<(Key, ShapeId)> = None;
        for ((id, head), stuck) in (0u32..).zip(self.queue.heads()).zip(&mut self.stuck) {
            let Some(key) = *head else { continue };
            let shape = self.queue.shape(id);
            let round = self.rounds[shape.class.index()].number();
            if stuck.tried == Some(round) {
                continue;
            }
            if !self.fleet.may_fit(id, shape) {
                stuck.tried = Some(round);
            } else if first.is_none_or(|(best, _)| key < best) {
                first = Some((key, id));
            }
        }
        first
    }

    fn find_worker(&self, key: Key, shape: ShapeId) -> Option<u32> {
        let task = self.tasks.get(self.queue.first(shape)?)?;
        let hints = task.hints.as_ref();
        let prefer = hints.and_then(|hints| hints.prefer);
        let want = Want {
            id: shape,
            shape: self.queue.shape(shape),
            prefer: prefer.and_then(|worker| self.fleet.number(worker)),
            avoid: hints.and_then(|hints| hints.avoid),
        };
        self.fleet
            .pick(&want, |other| self.passes(key, shape, other))
    }

    fn place(&mut self, key: Key, shape: ShapeId, worker: u32) -> Option<Placement> {
        let task = self.queue.first(shape)?;
        self.note_overtaken(key, shape, worker);
        let kept = self.fleet.kept_for(worker);
        let beside = kept.is_some_and(|other| other != shape && !self.precedes(key, shape, other));
        self.hold(task, worker, beside);
        self.expect(task);
        self.unstuck(shape);
        let worker = self.fleet.key(worker)?;
        Some(Placement { task, worker })
    }

    /// Whether that a worker is kept for another shape is nothing to a task: it comes before by more than fair share and age, or does not take the room that a lasting one waits for.
    fn precedes(&self, key: Key, shape: ShapeId, other: ShapeId) -> bool {
        let head = self.queue.head(other);
        head.is_some_and(|head| key.band < head.band) || !self.competes(shape, other)
    }

    /// Whether a worker that is kept for another shape takes it all the same. Where that shape is a lasting one, it takes the children, too, of those that run: they
    /// may have no other place, and it may wait for their parents.
    fn passes(&self, key: Key, shape: ShapeId, other: ShapeId) -> bool {
        self.precedes(key, shape, other)
            || (self.queue.shape(other).lasts() && self.is_awaited(shape))
    }
}
