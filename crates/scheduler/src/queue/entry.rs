//! The waiting tasks of one proof and shape.

use super::lane::LaneId;
use super::line::Line;
use crate::Millis;
use crate::order::Rank;
use crate::shape::ShapeId;

/// An entry's number.
pub(crate) type EntryId = u32;

/// The waiting tasks of one proof and shape, and where they stand in the shape's queue.
pub(super) struct Entry {
    pub(super) shape: ShapeId,
    /// The lane that it is in, if it has tasks and a seat.
    pub(super) lane: Option<LaneId>,
    /// Where the entry belongs; `None` while its proof is stepped over.
    pub(super) seat: Option<Seat>,
    pub(super) tasks: Line,
}

/// Where a proof's tasks stand among those of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) priority: i32,
    pub(crate) by: By,
}

/// What orders proofs of one priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// An urgent one: its latest start.
    StartBy(Millis),
    /// Others: what the tenant has, then what the proof has.
    Share {
        /// The tenant's index.
        tenant: u32,
        /// The proof's standing.
        proof: u64,
    },
}

impl By {
    /// What the entry's place in its lane depends on.
    pub(super) const fn order(self) -> u64 {
        match self {
            Self::StartBy(at) => at,
            Self::Share { proof, .. } => proof,
        }
    }
}

impl Entry {
    pub(super) const fn new(shape: ShapeId, seat: Option<Seat>) -> Self {
        Self {
            shape,
            lane: None,
            seat,
            tasks: Line::new(),
        }
    }

    /// The entry's key in its lane; `None` if it has no tasks or no seat.
    pub(super) fn key(&self) -> Option<(u64, Rank)> {
        let (rank, _) = self.tasks.first()?;
        Some((self.seat?.by.order(), rank))
    }
}
