//! Which worker a task goes to.
//!
//! The one with the least to do that has room; of two with as much to do, the smaller. Not the fullest that still has room (best fit): provers are what is scarce, one that
//! idles beside one with two tasks is lost time, and a lost worker should take few tasks along. And not the one with the most room: where pools differ in memory, the large
//! pods would get several tasks before the small ones get any. That this leaves crumbs of room everywhere is what reservations are for. What would cost its whole proof goes
//! to a spot node only where no other has room.

use super::rooms::Gate;
use super::worker::{Pod, Worker};
use super::{Fleet, Known};
use crate::shape::{Shape, ShapeId};

/// A task that looks for a worker.
pub(crate) struct Want<'a> {
    pub(crate) id: ShapeId,
    pub(crate) shape: &'a Shape,
    /// The worker that it had better go to.
    pub(crate) prefer: Option<u32>,
    /// The pod that it should not go to if there is another, nor, if that can be, to another on its node.
    pub(crate) avoid: Option<Pod>,
}

impl Fleet {
    /// Whether it is worth a closer look. O(1).
    pub(crate) fn may_fit(&self, id: ShapeId, shape: &Shape) -> bool {
        let index = &self.indexes[self.shapes[id as usize].filter.all];
        index.workers.has(shape.weight) || !self.reserved.is_empty()
    }

    /// The worker to give a task to; `None` if it fits nowhere now. `passes` says whether that a worker is kept for a shape does not keep the task away.
    pub(crate) fn pick(&self, want: &Want<'_>, passes: impl Fn(ShapeId) -> bool) -> Option<u32> {
        let known = &self.shapes[want.id as usize];
        let everywhere = self.level(known, want.shape, true)?;
        let steady = self.level(known, want.shape, false);
        let weight = u64::from(want.shape.weight);
        let fits = |level: &Level<'_>, number: u32, worker: &Worker| {
            worker.open
                && worker.suits(want.shape)
                && worker.has_slot(want.shape.slot)
                && worker.places(want.shape.class) > 0
                && !level.bars(number)
                && allowance(worker, want, &passes) >= weight
        };
        let nearness = |number: u32| match (self.workers.at(number), want.avoid) {
            (Some(worker), Some(avoid)) => worker.spec.pod.nearness(avoid),
            _ => 0,
        };
        let preferred = want.prefer.filter(|n| nearness(*n) == 0);
        if let Some(number) = preferred
            && let Some(worker) = self.workers.at(number)
            && fits(&everywhere, number, worker)
        {
            return Some(number);
        }
        let find = |level: &Level<'_>, nearest: u8| {
            let barred = |n: u32| level.bars(n) || nearness(n) > nearest;
            let workers = &self.indexes[level.index].workers;
            workers.first(want.shape.weight, &barred).or_else(|| {
                let kept = self.reserved.iter().filter_map(|number| {
                    let worker = self.workers.at(*number)?;
                    let good = nearness(*number) <= nearest
                        && (level.spot_too || !worker.spec.spot)
                        && fits(level, *number, worker);
                    good.then_some((worker.used(), worker.spec.capacity, *number))
                });
                kept.min().map(|(_, _, number)| number)
            })
        };
        let choose = |nearest: u8| {
            let steady = steady.as_ref().and_then(|level| find(level, nearest));
            steady.or_else(|| find(&everywhere, nearest))
        };
        let farther = choose(0);
        farther.or_else(|| want.avoid.and_then(|_| choose(1).or_else(|| choose(2))))
    }

    /// The workers that a task of a shape may go to: all, or, where there is a difference, those that are not on spot nodes. That a lasting task leaves others their places
    /// is asked of each group by itself: else the first would go where the others' executions have to go, and those to spot nodes.
    fn level(&self, known: &Known, shape: &Shape, spot_too: bool) -> Option<Level<'_>> {
        if !spot_too && (!shape.steady || self.spots == 0) {
            return None;
        }
        let (gate, indexes) = match &known.lasting {
            None => (None, known.filter),
            Some(lasting) => {
                let rooms = match spot_too {
                    true => lasting.rooms,
                    false => lasting.steady_rooms?,
                };
                let expecting = self.expecting[shape.class.index()];
                let gate = self.rooms[rooms].gate(shape, expecting)?;
                let indexes = match gate.spare {
                    0 => lasting.sparing,
                    _ => known.filter,
                };
                (Some(gate), indexes)
            }
        };
        let index = match spot_too {
            true => indexes.all,
            false => indexes.steady?,
        };
        Some(Level {
            index,
            gate,
            spot_too,
        })
    }
}

/// Some of the workers that a task may go to.
struct Level<'a> {
    index: usize,
    gate: Option<Gate<'a>>,
    /// Those on spot nodes among them.
    spot_too: bool,
}

impl Level<'_> {
    fn bars(&self, number: u32) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.bars(number))
    }
}

/// What a worker may give to a task: all that is free, less what it is kept for.
fn allowance(worker: &Worker, want: &Want<'_>, passes: &impl Fn(ShapeId) -> bool) -> u64 {
    let free = worker.free();
    let Some(reserved) = worker.reserved else {
        return free;
    };
    if reserved.shape == want.id || passes(reserved.shape) {
        return free;
    }
    if reserved.slot.is_some() && reserved.slot == want.shape.slot {
        return 0;
    }
    if reserved.class == want.shape.class && worker.places(reserved.class) < 2 {
        return 0;
    }
    let child = match reserved.lasts {
        true => want.shape.reserve,
        false => 0,
    };
    let spare = u64::from(worker.spec.capacity)
        .saturating_sub(reserved.weight + reserved.beside + u64::from(child));
    free.min(spare)
}
