//! How many bytes are on their way to and from the store at a time.
//!
//! A store that slows down would otherwise be sent ever more at once, and its clients would hold it all. One proof may have half of
//! the room, so that a large one leaves some to the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::id::{ProofTag, minted};

/// What room is counted in, in bytes. A body takes at least this much.
const UNIT: u64 = 4 << 10;

/// The room of one store's clients.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    all: Arc<Semaphore>,
    units: u32,
    proofs: Arc<Mutex<HashMap<ProofTag, Weak<Semaphore>>>>,
}

/// Room for some bytes, until it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    _all: OwnedSemaphorePermit,
    _proof: Option<OwnedSemaphorePermit>,
}

impl Flight {
    /// Room for `bytes`, at least for one unit of each of two proofs.
    pub(super) fn new(bytes: u64) -> Self {
        let most = u64::try_from(Semaphore::MAX_PERMITS).unwrap_or(u64::MAX);
        let units = (bytes / UNIT).clamp(2, most.min(u64::from(u32::MAX)));
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        Self {
            all: Arc::new(Semaphore::new(units as usize)),
            units,
            proofs: Arc::default(),
        }
    }

    /// Waits for room for `bytes` of the object `key`. What is larger than all the room there is goes alone.
    pub(super) async fn room(&self, key: &str, bytes: usize) -> Room {
        let units = (bytes as u64).div_ceil(UNIT).max(1);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let id = key.rsplit('/').next().unwrap_or(key);
        let tag = minted(id).map(|minted| minted.tag);
        // First the proof's own, so that what waits for that takes nothing from the others.
        let proof = match tag.filter(|tag| *tag != ProofTag::default()) {
            Some(tag) => take(self.of_proof(tag), units.min(self.share())).await,
            None => None,
        };
        let Some(all) = take(self.all.clone(), units.min(self.units)).await else {
            // Nobody closes it.
            return std::future::pending().await;
        };
        Room {
            _all: all,
            _proof: proof,
        }
    }

    /// How many units nobody has; 0 also while somebody waits for more than there are, who has them all.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.all.available_permits()
    }

    /// What one proof may have.
    fn share(&self) -> u32 {
        self.units / 2
    }

    fn of_proof(&self, tag: ProofTag) -> Arc<Semaphore> {
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = proofs.get(&tag).and_then(Weak::upgrade) {
            return known;
        }
        // Those that have nothing on its way any more.
        proofs.retain(|_, known| known.strong_count() > 0);
        let new = Arc::new(Semaphore::new(self.share() as usize));
        proofs.insert(tag, Arc::downgrade(&new));
        new
    }
}

async fn take(from: Arc<Semaphore>, units: u32) -> Option<OwnedSemaphorePermit> {
    from.acquire_many_owned(units).await.ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt as _;

    use super::*;
    use crate::id::mint;

    fn key(proof: &str) -> String {
        format!("artifacts/{}", mint(ProofTag::of(proof), 1, 1))
    }

    const MIB: usize = 1 << 20;

    #[test]
    fn no_more_is_on_its_way_than_there_is_room_for() {
        let flight = Flight::new(8 * MIB as u64);
        let first = flight.room("programs/program_1", 5 * MIB).now_or_never();
        assert!(first.is_some());
        let mut second = Box::pin(flight.room("programs/program_2", 5 * MIB));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert!(second.now_or_never().is_some());
        // What is too large for all of it goes, alone.
        let huge = flight.room("programs/program_3", 100 * MIB).now_or_never();
        assert!(huge.is_some());
        assert!(
            flight
                .room("programs/program_4", 1)
                .now_or_never()
                .is_none()
        );
    }

    #[test]
    fn one_proof_leaves_half_of_it_to_the_others() {
        let flight = Flight::new(8 * MIB as u64);
        let (one, two) = (key("one"), key("two"));
        let rooms: Vec<_> = (0..4)
            .map(|_| flight.room(&one, MIB).now_or_never().unwrap())
            .collect();
        assert!(flight.room(&one, MIB).now_or_never().is_none());
        let other = flight.room(&two, 4 * MIB).now_or_never();
        assert!(other.is_some());
        drop((rooms, other));
        assert!(flight.room(&one, 100 * MIB).now_or_never().is_some());
        // Nothing is kept of proofs that have nothing on its way.
        flight.of_proof(ProofTag::of("three"));
        flight.of_proof(ProofTag::of("four"));
        assert_eq!(flight.proofs.lock().unwrap().len(), 1);
    }
}
