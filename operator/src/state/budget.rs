//! How fast the operator writes to the API server what it could also do without: tasks, progress, durations.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// What the bytes of a write are counted in: about what a ProofRequest takes that names its program and input.
const BLOCK: usize = 4096;

/// Blocks a second: 512 KiB. A status that changes is a new revision of the whole object, with the program in it, and etcd keeps the revisions of the last
/// five to ten minutes: 300 MiB at most, of the 2 GiB that it has by default for the whole cluster.
const BLOCKS_PER_SECOND: NonZeroU32 = NonZeroU32::new(128).unwrap();

/// A number of writes a second for the whole operator, and of bytes in them. What ends a proof, and what a user waits for, does not count.
pub struct Budget {
    writes: DefaultDirectRateLimiter,
    blocks: DefaultDirectRateLimiter,
}

impl Budget {
    /// A budget of `per_second` writes, as many of them at once.
    pub fn new(per_second: NonZeroU32) -> Self {
        Self {
            writes: RateLimiter::direct(Quota::per_second(per_second)),
            blocks: RateLimiter::direct(Quota::per_second(BLOCKS_PER_SECOND)),
        }
    }

    /// Waits until a write of a small object is due, and counts it.
    pub(super) async fn take(&self) {
        self.writes.until_ready().await;
    }

    /// Waits until a write of an object of so many bytes is due, and counts it. Block by block: one of a large object would else wait for as long as
    /// there are small ones.
    pub(super) async fn take_bytes(&self, bytes: usize) {
        for _ in 0..blocks(bytes) {
            self.blocks.until_ready().await;
        }
        self.writes.until_ready().await;
    }

    /// Counts a write of an object of so many bytes if it is due at once.
    pub fn spare(&self, bytes: usize) -> bool {
        let blocks = NonZeroU32::new(blocks(bytes)).unwrap_or(NonZeroU32::MIN);
        // One that is larger than what may be written in a second never is.
        let fits = matches!(self.blocks.check_n(blocks), Ok(Ok(())));
        fits && self.writes.check().is_ok()
    }
}

fn blocks(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(BLOCK).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    const MANY: NonZeroU32 = NonZeroU32::new(1000).unwrap();

    #[test]
    fn large_objects_are_written_less_often() {
        let written = |bytes| {
            let budget = Budget::new(MANY);
            (0..).take_while(|_| budget.spare(bytes)).count()
        };
        assert_eq!(written(100), 128);
        assert_eq!(written(32 * BLOCK), 4);
        assert_eq!(written(1 << 20), 0);
    }

    #[test]
    fn what_can_wait_is_written_whatever_its_size() {
        let budget = Budget::new(MANY);
        assert!(budget.take_bytes(128 * BLOCK).now_or_never().is_some());
        assert!(budget.take_bytes(1).now_or_never().is_none());
    }

    #[test]
    fn there_is_a_number_of_writes_whatever_their_size() {
        let budget = Budget::new(NonZeroU32::MIN);
        assert!(budget.take_bytes(1).now_or_never().is_some());
        assert!(!budget.spare(1));
        assert!(budget.take().now_or_never().is_none());
    }
}
