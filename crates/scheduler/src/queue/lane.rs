//! Entries of one shape that change places together.

use super::entry::{By, Seat};
use crate::heap::Heap;
use crate::order::{Band, Key, Rank};
use crate::shape::ShapeId;

/// A lane's number.
pub(super) type LaneId = u32;

/// Entries of one shape and priority: those of one tenant, so that a change of what it has moves them all at once, or those of all urgent proofs.
pub(super) struct Lane {
    pub(super) shape: ShapeId,
    pub(super) name: LaneName,
    /// The entries, by what the proof has or by when it must start.
    pub(super) entries: Heap<(u64, Rank)>,
    /// The lane's place in the shape's heap.
    pub(super) place: u32,
}

/// Which entries of a shape belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneName {
    pub(super) priority: i32,
    /// The tenant's index; `None` for the urgent.
    pub(super) tenant: Option<u32>,
}

impl LaneName {
    pub(super) const fn of(seat: Seat) -> Self {
        let tenant = match seat.by {
            By::Share { tenant, .. } => Some(tenant),
            By::StartBy(_) => None,
        };
        Self {
            priority: seat.priority,
            tenant,
        }
    }
}

impl Lane {
    /// The key of the lane's first task, where its tenant stands as said.
    pub(super) fn key(&self, standing: u64) -> Option<Key> {
        let ((order, rank), _) = self.entries.first()?;
        let priority = self.name.priority;
        Some(match self.name.tenant {
            Some(_) => Key {
                band: Band::normal(priority),
                tenant: standing,
                proof: order,
                rank,
            },
            None => Key {
                band: Band::urgent(priority, order),
                tenant: 0,
                proof: 0,
                rank,
            },
        })
    }
}
