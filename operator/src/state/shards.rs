//! The size of a proof's shards, as the coordinator has it and as objects show it. Pure.

use provost_coordinator::ShardSize;
use provost_crds::ShardSize as Shown;

/// What objects show.
pub const fn stored(shards: ShardSize) -> Shown {
    match shards {
        ShardSize::Reduced => Shown::Reduced,
        ShardSize::Full => Shown::Full,
    }
}

/// What the next leader goes on with.
pub const fn recovered(stored: Shown) -> ShardSize {
    match stored {
        Shown::Reduced => ShardSize::Reduced,
        Shown::Full => ShardSize::Full,
    }
}
