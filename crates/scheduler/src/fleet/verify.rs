//! Whether the fleet's books agree: for tests.

use super::index::Index;
use super::rooms::Rooms;
use super::{Fleet, Hold, number};
use crate::shape::Class;

impl Fleet {
    /// Whether the books agree: for tests. O(everything).
    pub(crate) fn verify(&self) -> Result<(), String> {
        for (key, worker) in self.workers.iter() {
            let holds: Vec<_> = worker.holds.iter().map(|h| self.holds.get(*h)).collect();
            let sum = |of: fn(&Hold) -> bool| -> u64 {
                let of = holds.iter().flatten().filter(|h| of(h));
                of.map(|h| u64::from(h.weight)).sum()
            };
            let slots = holds.iter().flatten().filter_map(|h| h.slot);
            let beside = worker.reserved.map_or(0, |r| r.beside);
            let proving = holds.iter().flatten().filter(|h| h.class == Class::Gpu);
            let proving = proving.count();
            let right = holds.iter().all(Option::is_some)
                && worker.lasting == sum(|h| h.lasts)
                && worker.by_class[0] == sum(|h| h.class == Class::Cpu)
                && worker.by_class[1] == sum(|h| h.class == Class::Gpu)
                && worker.proving as usize == proving
                && worker.slots == slots.fold(0, |all, slot| all | slot.mask())
                && (worker.reserved.is_none() || beside == sum(|h| h.beside))
                && worker.reserved.is_some() == self.reserved.contains(&number(key));
            if !right {
                return Err(format!("the books of {key:?} are wrong"));
            }
            let number = number(key);
            let indexed = |i: &Index| {
                let unused = i.filter.is_steady() && self.spots == 0;
                unused || i.workers.get(number) == i.load(worker)
            };
            let roomed = |r: &Rooms| r.get(number) == r.room(worker);
            if !self.indexes.iter().all(indexed) || !self.rooms.iter().all(roomed) {
                return Err(format!("an index is wrong about {key:?}"));
            }
        }
        let expecting = |class| {
            let holds = self.holds.iter().map(|(_, hold)| hold);
            holds.filter(|h| h.expects && h.class == class).count()
        };
        let expected = Class::ALL.map(expecting);
        if self.expecting.map(|n| n as usize) != expected || !self.rooms.iter().all(Rooms::verify) {
            return Err("what lasting tasks expect, or have places for, is wrong".to_owned());
        }
        let spots = self.workers.iter().filter(|(_, w)| w.spec.spot);
        if spots.count() != self.spots {
            return Err("the number of workers on spot nodes is wrong".to_owned());
        }
        let held: usize = self.workers.iter().map(|(_, w)| w.holds.len()).sum();
        if held != self.holds.len() {
            return Err("there are holds without a worker".to_owned());
        }
        Ok(())
    }
}
