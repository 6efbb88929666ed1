//! The workers that tasks of some shapes can go to, ready to be searched.

use super::ladder::Ladder;
use super::rooms;
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
    /// Only where a lasting task of the weight takes no place from children of the reserve.
    sparing: Option<Lasting>,
    /// Only workers that are not on spot nodes.
    steady: bool,
}

/// Weight and reserve of lasting tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lasting {
    weight: u32,
    reserve: u32,
}

impl Filter {
    pub(super) const fn of(shape: &Shape) -> Self {
        Self {
            class: shape.class,
            slot: shape.slot,
            requirement: shape.requirement,
            min_capacity: shape.min_capacity,
            sparing: None,
            steady: false,
        }
    }

    /// The same, but for workers on which it takes away a place for children.
    pub(super) const fn sparing(shape: &Shape) -> Self {
        let (weight, reserve) = (shape.weight, shape.reserve);
        Self {
            sparing: Some(Lasting { weight, reserve }),
            ..Self::of(shape)
        }
    }

    /// The same, but for workers on spot nodes.
    pub(super) const fn steady(mut self) -> Self {
        self.steady = true;
        self
    }

    pub(super) const fn is_steady(&self) -> bool {
        self.steady
    }

    pub(super) const fn class(&self) -> Class {
        self.class
    }

    fn passes(&self, worker: &Worker) -> bool {
        worker.open
            && worker.reserved.is_none()
            && !(self.steady && worker.spec.spot)
            && worker.spec.kind.serves(self.class)
            && worker.spec.capacity >= self.min_capacity
            && worker.places(self.class) > 0
            && worker.has_slot(self.slot)
            && worker.provides(self.requirement)
            && self.sparing.is_none_or(|lasting| {
                let room = worker.room_beside(self.class);
                rooms::taken(room, lasting.weight, lasting.reserve) == 0
            })
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

    /// Brings it up to date about a worker. Whether it comes to be among those that a lasting task takes no place from: that happens when tasks come, too.
    pub(super) fn refresh(&mut self, number: u32, worker: &Worker) -> bool {
        let load = self.load(worker);
        let comes =
            self.filter.sparing.is_some() && load.is_some() && self.workers.get(number).is_none();
        self.workers.set(number, load);
        comes
    }
}
