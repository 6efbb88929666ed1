//! The workers that tasks of some shapes can go to, ready to be searched.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::ladder::Ladder;
use super::tree::Load;
use super::worker::Worker;
use crate::shape::{Class, Requirement, Shape, Slot};

/// What decides, besides weight, which workers a task can go to. Shapes have few different filters, and each filter has an index of its own, so that a search meets
/// only workers that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    class: Class,
    slot: Option<Slot>,
    requirement: Option<Requirement>,
    min_capacity: u32,
}

impl Filter {
    pub(super) const fn of(shape: &Shape) -> Self {
        Self {
            class: shape.class,
            slot: shape.slot,
            requirement: shape.requirement,
            min_capacity: shape.min_capacity,
        }
    }

    fn passes(&self, worker: &Worker) -> bool {
        worker.open
            && worker.reserved.is_none()
            && worker.spec.kind.serves(self.class)
            && worker.spec.capacity >= self.min_capacity
            && worker.places(self.class) > 0
            && worker.has_slot(self.slot)
            && worker.provides(self.requirement)
    }
}

/// The workers that pass a filter, are open and not kept for something.
pub(super) struct Index {
    pub(super) filter: Filter,
    pub(super) workers: Ladder,
}

impl Index {
    pub(super) fn new(filter: Filter) -> Self {
        Self {
            filter,
            workers: Ladder::default(),
        }
    }

    /// What the index should say of a worker.
    pub(super) fn load(&self, worker: &Worker) -> Option<Load> {
        self.filter
            .passes(worker)
            .then_some(Load::new(worker.used(), worker.spec.capacity))
    }

    pub(super) fn refresh(&mut self, number: u32, worker: &Worker) {
        let load = self.load(worker);
        self.workers.set(number, load);
    }
}

/// The open workers that the children of a lasting task can go to, by what they could give to one of them.
pub(super) struct Rooms {
    pub(super) class: Class,
    pub(super) requirement: Option<Requirement>,
    rooms: BTreeSet<(Reverse<u64>, u32)>,
    by_worker: Vec<Option<u64>>,
}

impl Rooms {
    pub(super) const fn new(class: Class, requirement: Option<Requirement>) -> Self {
        Self {
            class,
            requirement,
            rooms: BTreeSet::new(),
            by_worker: Vec::new(),
        }
    }

    /// What it should say of a worker.
    pub(super) fn room(&self, worker: &Worker) -> Option<u64> {
        let counts =
            worker.open && worker.spec.kind.serves(self.class) && worker.provides(self.requirement);
        counts.then(|| worker.room_beside(self.class))
    }

    pub(super) fn get(&self, number: u32) -> Option<u64> {
        self.by_worker.get(number as usize).copied().flatten()
    }

    pub(super) fn set(&mut self, number: u32, room: Option<u64>) {
        let index = number as usize;
        if self.by_worker.len() <= index {
            self.by_worker.resize(index + 1, None);
        }
        let old = std::mem::replace(&mut self.by_worker[index], room);
        if old == room {
            return;
        }
        if let Some(old) = old {
            self.rooms.remove(&(Reverse(old), number));
        }
        if let Some(room) = room {
            self.rooms.insert((Reverse(room), number));
        }
    }

    /// Where a lasting task of this weight may go, so that some worker can then give that reserve to its children.
    pub(super) fn gate(&self, weight: u32, reserve: u32) -> Gate {
        let (weight, reserve) = (u64::from(weight), u64::from(reserve));
        let mut largest = self.rooms.iter().map(|(room, number)| (room.0, *number));
        let Some((room, number)) = largest.next() else {
            return Gate::Shut;
        };
        if room < reserve {
            return Gate::Shut;
        }
        if room >= reserve + weight || largest.next().is_some_and(|(next, _)| next >= reserve) {
            return Gate::Open;
        }
        Gate::NotOn(number)
    }
}

/// Which workers a task may go to, for the sake of its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Any.
    Open,
    /// Any but the one that the children need.
    NotOn(u32),
    /// None.
    Shut,
}

impl Gate {
    pub(super) fn bars(self, number: u32) -> bool {
        match self {
            Self::Open => false,
            Self::NotOn(other) => other == number,
            Self::Shut => true,
        }
    }
}
