//! Workers by how much they have to do, searched by what they have free.
//!
//! Pools are of few sizes. Among workers of one size the least loaded has the most room, so each size has a heap by load, and only the first of each heap takes part in
//! the search for the least loaded with enough room. Where all sizes differ that is a search among all workers, in O(log n) still.

use std::collections::BTreeMap;

use super::tree::{Load, Tree};
use crate::heap::Heap;

/// An ordered set of workers by load, capacity and number. Every operation is O(log n).
#[derive(Default)]
pub(super) struct Ladder {
    sizes: BTreeMap<u32, u32>,
    rungs: Vec<Rung>,
    /// The rungs that have workers, by their first.
    tree: Tree,
    workers: Vec<Place>,
}

/// Workers of one size.
struct Rung {
    capacity: u32,
    /// By what they have to do, then by number.
    workers: Heap<(u32, u32)>,
    /// The load of the first, as the tree has it.
    first: Option<u32>,
}

/// Where a worker is.
#[derive(Clone, Copy)]
struct Place {
    load: Option<Load>,
    rung: u32,
    /// Its place in the rung's heap.
    place: u32,
}

impl Ladder {
    /// Puts a worker in its place, or takes it out.
    pub(super) fn set(&mut self, worker: u32, load: Option<Load>) {
        let old = self.get(worker);
        if old == load {
            return;
        }
        match (old, load) {
            (Some(old), Some(new)) if old.capacity == new.capacity => {
                self.with_rung(worker, |rung, place, placed| {
                    rung.update(place, (new.used, worker), placed);
                });
            }
            _ => {
                if old.is_some() {
                    self.with_rung(worker, |rung, place, placed| rung.remove(place, placed));
                }
                if let Some(new) = load {
                    self.enter(worker, new.capacity);
                    self.with_rung(worker, |rung, _, placed| {
                        rung.push((new.used, worker), worker, placed);
                    });
                }
            }
        }
        if let Some(place) = self.workers.get_mut(worker as usize) {
            place.load = load;
        }
    }

    /// The first worker with that much room that is not to be skipped. O(log n) for each skipped one.
    pub(super) fn first(&self, room: u32, skip: &impl Fn(u32) -> bool) -> Option<u32> {
        // The best of rungs whose first is to be skipped.
        let mut other: Option<(Load, u32)> = None;
        let found = self.tree.first(room, &mut |rung| {
            let rung = &self.rungs[rung as usize];
            if !rung.workers.first().is_some_and(|(_, first)| skip(first)) {
                return false;
            }
            if let Some(((used, _), worker)) = rung.workers.first_but(skip) {
                let load = Load::new(u64::from(used), rung.capacity);
                if load.room() >= room && other.is_none_or(|best| (load, worker) < best) {
                    other = Some((load, worker));
                }
            }
            true
        });
        let found = found.and_then(|rung| {
            let rung = &self.rungs[rung as usize];
            let ((used, _), worker) = rung.workers.first()?;
            Some((Load::new(u64::from(used), rung.capacity), worker))
        });
        found
            .into_iter()
            .chain(other)
            .min()
            .map(|(_, worker)| worker)
    }

    /// Whether any worker has that much room. O(1).
    pub(super) fn has(&self, room: u32) -> bool {
        self.tree.has(room)
    }

    pub(super) fn get(&self, worker: u32) -> Option<Load> {
        self.workers.get(worker as usize)?.load
    }

    /// Notes which rung a worker is on.
    fn enter(&mut self, worker: u32, capacity: u32) {
        let rungs = &mut self.rungs;
        let rung = *self.sizes.entry(capacity).or_insert_with(|| {
            rungs.push(Rung {
                capacity,
                workers: Heap::default(),
                first: None,
            });
            u32::try_from(rungs.len() - 1).unwrap_or(u32::MAX)
        });
        let index = worker as usize;
        if self.workers.len() <= index {
            let nowhere = Place {
                load: None,
                rung: 0,
                place: 0,
            };
            self.workers.resize(index + 1, nowhere);
        }
        self.workers[index].rung = rung;
    }

    /// Changes the heap of a worker's rung, and keeps the rung in its place.
    fn with_rung(
        &mut self,
        worker: u32,
        change: impl FnOnce(&mut Heap<(u32, u32)>, u32, &mut dyn FnMut(u32, u32)),
    ) {
        let Place { rung, place, .. } = self.workers[worker as usize];
        let workers = &mut self.workers;
        let found = &mut self.rungs[rung as usize];
        change(&mut found.workers, place, &mut |w, p| {
            workers[w as usize].place = p;
        });
        let first = found.workers.first().map(|((used, _), _)| used);
        if first != found.first {
            found.first = first;
            let load = first.map(|used| Load::new(u64::from(used), found.capacity));
            self.tree.set(rung, load);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_a_scan_finds(
            steps in prop::collection::vec((0u32..24, prop::option::weighted(0.8, (0u64..12, 8u32..12))), 1..200),
            skipped in 0u32..8,
        ) {
            let mut ladder = Ladder::default();
            let mut model = [None; 24];
            for (worker, load) in steps {
                let load = load.map(|(used, capacity)| Load::new(used, capacity));
                ladder.set(worker, load);
                model[worker as usize] = load;
                prop_assert_eq!(ladder.get(worker), load);
                for room in 0..13 {
                    let scan = (0..24u32)
                        .filter(|w| w % 8 != skipped)
                        .filter_map(|w| model[w as usize].map(|l: Load| (l, w)))
                        .filter(|(l, _)| l.room() >= room)
                        .min();
                    prop_assert_eq!(ladder.first(room, &|w| w % 8 == skipped), scan.map(|(_, w)| w));
                }
            }
        }
    }
}
