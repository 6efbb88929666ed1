//! Room in memory for what comes and goes over HTTP.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::HttpError;

/// The room of all routes.
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
