//! Which worker a task goes to.
//!
//! The one with the least to do that has room; of two with as much to do, the smaller. Not the fullest that still has room (best fit): provers are what is scarce, one that
//! idles beside one with two tasks is lost time, and a lost worker should take few tasks along. And not the one with the most room: where pools differ in memory, the large
//! pods would get several tasks before the small ones get any. That this leaves crumbs of room everywhere is what reservations are for. What would cost its whole proof goes
//! to a spot node only where no other has room.

use super::worker::{Pod, Worker};
use super::{Fleet, Indexes, Known};
use crate::shape::{Shape, ShapeId};

/// A task that looks for a worker.
pub(crate) struct Want<'a> {
    pub(crate) id: ShapeId,
    pub(crate) shape: &'a Shape,
    /// The worker that it had better go to.
    pub(crate) prefer: Option<u32>,
    /// The pod that it should not go to if there is another.
    pub(crate) avoid: Option<Pod>,
}

impl Fleet {
    /// Whether it is worth a closer look. O(1).
    pub(crate) fn may_fit(&self, id: ShapeId, shape: &Shape) -> bool {
        let index = &self.indexes[self.shapes[id as usize].filter.all];
        index.workers.has(shape.weight) || !self.reserved.is_empty()
    }

    /// The worker to give a task to; `None` if it fits nowhere now. `precedes` says whether the task comes, by priority or urgency, before those of a shape that
    /// a worker is kept for.
    pub(crate) fn pick(&self, want: &Want<'_>, precedes: impl Fn(ShapeId) -> bool) -> Option<u32> {
        let known = &self.shapes[want.id as usize];
        let gate = match &known.lasting {
            None => None,
            Some(lasting) => {
                let expecting = self.expecting[want.shape.class.index()];
                Some(self.rooms[lasting.rooms].gate(want.shape, expecting)?)
            }
        };
        let none_to_spare = gate.as_ref().is_some_and(|gate| gate.spare == 0);
        let bars = |number: u32| gate.as_ref().is_some_and(|gate| gate.bars(number));
        let weight = u64::from(want.shape.weight);
        let fits = |number: u32, worker: &Worker| {
            worker.open
                && worker.suits(want.shape)
                && worker.has_slot(want.shape.slot)
                && worker.places(want.shape.class) > 0
                && !bars(number)
                && allowance(worker, want, &precedes) >= weight
        };
        let avoided = |number: u32| {
            let worker = self.workers.at(number);
            want.avoid.is_some() && worker.map(|w| w.spec.pod) == want.avoid
        };
        let preferred = want.prefer.filter(|n| !avoided(*n));
        if let Some(number) = preferred
            && let Some(worker) = self.workers.at(number)
            && fits(number, worker)
        {
            return Some(number);
        }
        let takes = |number: u32| gate.as_ref().map_or(0, |gate| gate.takes(number));
        let kept = |level: Level, avoided_too: bool| {
            let kept = self.reserved.iter().filter_map(|number| {
                let worker = self.workers.at(*number)?;
                let good = (avoided_too || !avoided(*number))
                    && (level.spot_too || !worker.spec.spot)
                    && (level.places_too || takes(*number) == 0)
                    && fits(*number, worker);
                good.then_some((worker.used(), worker.spec.capacity, *number))
            });
            kept.min().map(|(_, _, number)| number)
        };
        let choose = |avoided_too: bool| {
            let barred = |n: u32| bars(n) || (!avoided_too && avoided(n));
            self.levels(known, none_to_spare).find_map(|level| {
                let workers = &self.indexes[level.index].workers;
                let found = workers.first(want.shape.weight, &barred);
                found.or_else(|| kept(level, avoided_too))
            })
        };
        choose(false).or_else(|| want.avoid.and_then(|_| choose(true)))
    }

    /// Where to look, the better first. A place that others come for is worth more than a node that stays: who takes it sends their executions to the other kind, or lets them wait.
    fn levels(&self, known: &Known, none_to_spare: bool) -> impl Iterator<Item = Level> + use<> {
        let steady = |of: Indexes| of.steady.filter(|_| self.spots > 0);
        let level = |index: Option<usize>, spot_too, places_too| {
            index.map(|index| Level {
                index,
                spot_too,
                places_too,
            })
        };
        let sparing = known.lasting.as_ref().map(|lasting| lasting.sparing);
        // Without spot nodes it only matters whether there is a place to spare.
        let split = sparing.filter(|sparing| none_to_spare || steady(*sparing).is_some());
        let rest = (!none_to_spare).then_some(known.filter);
        let levels = [
            level(split.and_then(steady), false, false),
            level(split.map(|sparing| sparing.all), true, false),
            level(rest.and_then(steady), false, true),
            level(rest.map(|rest| rest.all), true, true),
        ];
        levels.into_iter().flatten()
    }
}

/// Some of the workers that a task may go to.
#[derive(Clone, Copy)]
struct Level {
    index: usize,
    /// Those on spot nodes among them.
    spot_too: bool,
    /// Those on which a lasting task takes a place away.
    places_too: bool,
}

/// What a worker may give to a task: all that is free, less what it is kept for.
fn allowance(worker: &Worker, want: &Want<'_>, precedes: &impl Fn(ShapeId) -> bool) -> u64 {
    let free = worker.free();
    let Some(reserved) = worker.reserved else {
        return free;
    };
    if reserved.shape == want.id || precedes(reserved.shape) {
        return free;
    }
    if reserved.slot.is_some() && reserved.slot == want.shape.slot {
        return 0;
    }
    if reserved.class == want.shape.class && worker.places(reserved.class) < 2 {
        return 0;
    }
    let spare = u64::from(worker.spec.capacity)
        .saturating_sub(u64::from(reserved.weight) + reserved.beside);
    free.min(spare)
}
