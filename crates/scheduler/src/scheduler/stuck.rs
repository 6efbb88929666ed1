//! What fits nowhere: it is stepped over, and if that goes on for too long a worker is kept for it.
//!
//! A shape is *overtaken* when a task that comes later in order is given a worker that could have run a task of the shape, had it been empty. From then on
//! patience runs, until a task of the shape is placed. When it is over, a worker is kept for the shape, so the time for which a large task can be
//! passed by is bounded: patience, and what the worker was doing already. Tasks that come before it by priority or urgency still go first, on that worker too.
//!
//! What stops a lasting task is the room for its children. So only tasks of its class overtake it and are kept away, and the worker is kept for it and its first child together.
//! Children of those that run are not kept away: they may have no other place, and what it waits for may be the end of their parents.

use super::Scheduler;
use crate::Millis;
use crate::order::Key;
use crate::shape::ShapeId;

/// What was tried in vain for a shape.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stuck {
    /// The round in which its first task was found to fit nowhere.
    pub(super) tried: Option<u64>,
    /// Since when it is overtaken.
    pub(super) since: Option<Millis>,
    /// The worker that is kept for it.
    pub(crate) kept: Option<u32>,
    /// What the fleet was like when no worker was found to keep.
    searched: Option<u64>,
}

/// Decisions of a class between which nothing happens that could make room.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    number: u64,
    /// What the fleet's epoch was when it began.
    epoch: u64,
}

impl Round {
    pub(super) const fn number(self) -> u64 {
        self.number
    }

    /// Begins another round if room may have come, or if what was tried in vain is to be tried again anyway.
    pub(super) const fn begin(&mut self, epoch: u64, again: bool) {
        if self.epoch != epoch || again {
            self.epoch = epoch;
            self.number += 1;
        }
    }
}

impl Scheduler {
    /// The round of decisions that a shape is in.
    pub(super) fn round(&self, id: ShapeId) -> u64 {
        self.rounds[self.queue.shape(id).class.index()].number
    }

    /// Drops reservations that are of no more use, and makes those that are due.
    pub(super) fn renew_reservations(&mut self) {
        let mut due = Vec::new();
        for id in 0..self.stuck.len() {
            let stuck = &mut self.stuck[id];
            if stuck.since.is_none() {
                continue;
            }
            let number = u32::try_from(id).unwrap_or(u32::MAX);
            let head = self.queue.head(number);
            if let Some(worker) = stuck.kept
                && (head.is_none() || !self.fleet.keeps(worker, number, self.queue.shape(number)))
            {
                stuck.kept = None;
                self.fleet.unreserve_for(worker, number);
            }
            match (head, stuck.since) {
                (None, _) => stuck.since = None,
                (Some(head), Some(since))
                    if stuck.kept.is_none()
                        && since.saturating_add(self.settings.patience) <= self.now =>
                {
                    due.push((head, number));
                }
                _ => {}
            }
        }
        due.sort_unstable();
        for (_, id) in due {
            let stuck = &mut self.stuck[id as usize];
            if stuck.searched == Some(self.fleet.changes()) {
                continue;
            }
            let shape = self.queue.shape(id);
            stuck.kept = self.fleet.reserve(id, shape);
            stuck.searched = stuck.kept.is_none().then(|| self.fleet.changes());
        }
    }

    /// A task with this key was given a worker: the shapes that were stepped over for it are overtaken.
    pub(super) fn note_overtaken(&mut self, key: Key, by: ShapeId, worker: u32) {
        for id in 0..self.stuck.len() {
            let number = u32::try_from(id).unwrap_or(u32::MAX);
            let round = self.round(number);
            let stuck = &self.stuck[id];
            if number == by || stuck.tried != Some(round) || stuck.since.is_some() {
                continue;
            }
            let shape = self.queue.shape(number);
            let earlier = self.queue.head(number).is_some_and(|head| head < key);
            if earlier && self.competes(by, number) && self.fleet.could_be_kept(worker, shape) {
                self.stuck[id].since = Some(self.now);
            }
        }
    }

    /// Whether tasks of a shape take room that those of another wait for.
    pub(super) fn competes(&self, shape: ShapeId, other: ShapeId) -> bool {
        let other = self.queue.shape(other);
        !other.lasts() || self.queue.shape(shape).class == other.class
    }

    /// A task of the shape was given a worker.
    pub(super) fn unstuck(&mut self, id: ShapeId) {
        let stuck = &mut self.stuck[id as usize];
        stuck.since = None;
        stuck.searched = None;
        if let Some(worker) = stuck.kept.take() {
            self.fleet.unreserve_for(worker, id);
        }
    }

    /// When patience next runs out.
    pub(super) fn next_patience(&self) -> Option<Millis> {
        let waits = (0u32..).zip(&self.stuck).filter(|(id, stuck)| {
            let searched = stuck.searched == Some(self.fleet.changes());
            stuck.kept.is_none() && !searched && self.queue.head(*id).is_some()
        });
        let since = waits.filter_map(|(_, stuck)| stuck.since);
        since
            .min()
            .map(|at| at.saturating_add(self.settings.patience))
    }
}
