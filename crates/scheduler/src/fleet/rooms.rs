//! Where a task that lasts may go without taking away the room that children need.
//!
//! Controllers are light and stay until all else of their proof is done; what they create first, a CoreExecute, is heavy. So the room that open workers have for such
//! children is counted in *places*, and a Controller is placed only if one remains, and if those that others expect to fill shortly remain as well: three proofs on two
//! workers with a place each are executed two at a time, not all on the worker that the third Controller was not put on.

use super::worker::Worker;
use crate::shape::{Class, Requirement, Shape};

/// The open workers that the children of a lasting task can go to, by what they could give to them.
pub(super) struct Rooms {
    pub(super) class: Class,
    pub(super) requirement: Option<Requirement>,
    /// Of workers that are not on spot nodes alone.
    pub(super) steady: bool,
    by_worker: Vec<Option<u64>>,
    places: Vec<Places>,
}

/// How many children of one weight the workers have room for.
struct Places {
    reserve: u32,
    free: u64,
}

impl Rooms {
    pub(super) const fn new(class: Class, requirement: Option<Requirement>, steady: bool) -> Self {
        Self {
            class,
            requirement,
            steady,
            by_worker: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Counts places for children of a weight from now on.
    pub(super) fn learn(&mut self, reserve: u32) {
        if self.places.iter().all(|p| p.reserve != reserve) {
            let rooms = self.by_worker.iter().flatten();
            let free = rooms.map(|room| places(*room, reserve)).sum();
            self.places.push(Places { reserve, free });
        }
    }

    /// What it should say of a worker.
    pub(super) fn room(&self, worker: &Worker) -> Option<u64> {
        let counts = worker.open
            && worker.spec.kind.serves(self.class)
            && worker.provides(self.requirement)
            && !(self.steady && worker.spec.spot);
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
        for Places { reserve, free } in &mut self.places {
            let count = |room: Option<u64>| room.map_or(0, |room| places(room, *reserve));
            *free = *free - count(old) + count(room);
        }
    }

    /// Where a lasting task may go; `None` for nowhere. `expecting`: how many that were placed wait for their first child to be.
    pub(super) fn gate(&self, shape: &Shape, expecting: u32) -> Option<Gate<'_>> {
        let places = self.places.iter().find(|p| p.reserve == shape.reserve)?;
        let needed = u64::from(expecting).clamp(1, places.free.max(1));
        Some(Gate {
            rooms: self,
            weight: shape.weight,
            reserve: shape.reserve,
            spare: places.free.checked_sub(needed)?,
        })
    }

    /// Whether the count of places is right: for tests.
    pub(super) fn verify(&self) -> bool {
        self.places.iter().all(|Places { reserve, free }| {
            let rooms = self.by_worker.iter().flatten();
            *free == rooms.map(|room| places(*room, *reserve)).sum::<u64>()
        })
    }
}

/// Which workers a lasting task may go to.
pub(super) struct Gate<'a> {
    rooms: &'a Rooms,
    weight: u32,
    reserve: u32,
    /// How many places it may take away.
    pub(super) spare: u64,
}

impl Gate<'_> {
    pub(super) fn bars(&self, number: u32) -> bool {
        let room = self.rooms.get(number).unwrap_or(0);
        taken(room, self.weight, self.reserve) > self.spare
    }
}

/// How many places a lasting task takes away from a worker with so much room.
pub(super) const fn taken(room: u64, weight: u32, reserve: u32) -> u64 {
    let left = room.saturating_sub(weight as u64);
    places(room, reserve) - places(left, reserve)
}

const fn places(room: u64, reserve: u32) -> u64 {
    match room.checked_div(reserve as u64) {
        Some(places) => places,
        None => 0,
    }
}
