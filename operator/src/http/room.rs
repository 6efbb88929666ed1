//! Room in memory for what comes and goes over HTTP. A pod has 3 GiB: what is left of it is for everything else.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::HttpError;

/// MiB for bodies of uploads: as many as were announced, whether they have come or not.
const BODIES_MIB: u32 = 1024;
/// MiB for what is made of bodies that have come: the largest is packed alone.
const PACKING_MIB: u32 = 512;
/// MiB for proofs that are sent, as they are stored.
const PROOFS_MIB: u32 = 1024;

/// The rooms of all routes. Who has a place among the bodies may wait for one to pack, and nobody the other way round: packing needs
/// nothing that others have.
#[derive(Debug, Clone)]
pub(super) struct Rooms {
    /// For bodies of uploads. A client that is slow to send its body has its place all the while.
    pub(super) bodies: Room,
    /// For what is made of them, and sent to the store.
    pub(super) packing: Room,
    /// For proofs on their way to clients, so that they wait for no upload.
    pub(super) proofs: Room,
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            bodies: Room::new(BODIES_MIB),
            packing: Room::new(PACKING_MIB),
            proofs: Room::new(PROOFS_MIB),
        }
    }
}

/// Room for some purpose.
#[derive(Debug, Clone)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    mib: u32,
}

/// Some of the room, until it is dropped.
pub(super) type Place = OwnedSemaphorePermit;

impl Room {
    /// Room for so many MiB.
    pub(super) fn new(mib: u32) -> Self {
        let free = Arc::new(Semaphore::new(mib as usize));
        Self { free, mib }
    }

    /// All the room there is, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.mib) << 20
    }

    /// Waits for room for `bytes`; those who came before are served first. What is larger than all the room gets all of it.
    ///
    /// # Errors
    /// None: nobody closes the room.
    pub(super) async fn take(&self, bytes: u64) -> Result<Place, HttpError> {
        let mib = u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX);
        let place = self.free.clone().acquire_many_owned(mib.clamp(1, self.mib));
        place
            .await
            .map_err(|error| HttpError::Internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt;

    use super::*;
    use crate::http::{MAX_PROGRAM_BYTES, MAX_STDIN_BYTES};

    #[test]
    fn the_largest_uploads_fit_and_hold_up_no_proof() {
        let rooms = Rooms::default();
        let largest = MAX_STDIN_BYTES.max(2 * MAX_PROGRAM_BYTES) as u64;
        // Beside one that is slow there is room for another.
        assert!(rooms.bodies.bytes() >= 2 * largest);
        assert!(rooms.packing.bytes() >= largest);
        let bodies = rooms.bodies.take(rooms.bodies.bytes()).now_or_never();
        let packing = rooms.packing.take(rooms.packing.bytes()).now_or_never();
        assert!(bodies.is_some() && packing.is_some());
        assert!(rooms.bodies.take(1).now_or_never().is_none());
        let proof = rooms.proofs.take(rooms.proofs.bytes()).now_or_never();
        assert!(proof.is_some());
    }

    #[test]
    fn no_more_is_held_than_there_is_room_for() {
        let room = Room::new(4);
        let take = |bytes| room.take(bytes).now_or_never();
        let first = take((2 << 20) + 1).unwrap();
        assert!(take(2 << 20).is_none());
        let second = take(0).unwrap();
        assert!(take(1).is_none());
        drop((first, second));
        let all = take(room.bytes() + 1);
        assert!(all.is_some() && take(1).is_none());
    }
}
