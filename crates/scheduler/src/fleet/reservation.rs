//! Keeping a worker for a task that is too large to find room while smaller ones come and go.
//!
//! The worker goes on with what it has. Of what comes later in order it takes only what fits beside the large task, so it empties until that fits.

use super::worker::{Reserved, Worker};
use super::{Fleet, number};
use crate::shape::{Shape, ShapeId};

impl Fleet {
    /// Keeps a worker for tasks of a shape, the one with the most room now of those that would be large enough once all but what lasts is done; not on a spot node if
    /// there is another and the shape had better not go to one. For a lasting one with its child: what is kept for the child alone may be room that others expect to fill.
    pub(crate) fn reserve(&mut self, id: ShapeId, shape: &Shape) -> Option<u32> {
        let fit = |worker: &Worker| {
            worker.open
                && worker.reserved.is_none()
                && worker.suits(shape)
                && worker.room() >= shape.weight_with_child()
        };
        let good = |worker: &Worker| (!(shape.steady && worker.spec.spot), worker.free());
        let mut best = None;
        for (key, worker) in self.workers.iter().filter(|(_, w)| fit(w)) {
            if best.is_none_or(|(best, _)| good(worker) > best) {
                best = Some((good(worker), number(key)));
            }
        }
        let (_, number) = best?;
        for hold in &self.workers.at(number)?.holds {
            if let Some(hold) = self.holds.get_mut(*hold) {
                hold.beside = hold.lasts;
            }
        }
        let worker = self.workers.at_mut(number)?;
        worker.reserved = Some(Reserved {
            shape: id,
            class: shape.class,
            weight: shape.weight_with_child(),
            lasts: shape.lasts(),
            slot: shape.slot,
            beside: worker.lasting,
        });
        self.reserved.push(number);
        self.refresh(number);
        Some(number)
    }

    /// Gives up a shape's reservation of a worker. Another worker may have its number by now.
    pub(crate) fn unreserve_for(&mut self, number: u32, id: ShapeId) {
        if self.kept_for(number) == Some(id) {
            self.unreserve(number);
        }
    }

    /// Gives up a reservation.
    pub(super) fn unreserve(&mut self, number: u32) {
        if let Some(worker) = self.workers.at_mut(number)
            && worker.reserved.take().is_some()
        {
            self.reserved.retain(|n| *n != number);
            self.changes += 1;
            self.refresh(number);
            self.made_room(number);
        }
    }

    /// The shape that a worker is kept for.
    pub(crate) fn kept_for(&self, number: u32) -> Option<ShapeId> {
        let reserved = self.workers.at(number)?.reserved?;
        Some(reserved.shape)
    }

    /// Whether a worker is still kept for a shape, and of use for that.
    pub(crate) fn keeps(&self, number: u32, id: ShapeId, shape: &Shape) -> bool {
        self.workers.at(number).is_some_and(|worker| {
            worker.reserved.is_some_and(|r| r.shape == id)
                && worker.open
                && worker.suits(shape)
                && worker.room() >= shape.weight_with_child()
        })
    }

    pub(crate) const fn has_reservations(&self) -> bool {
        !self.reserved.is_empty()
    }
}
