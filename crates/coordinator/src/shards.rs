//! How large the shards of a proof are: as large as all of its provers can take.

/// The size of a proof's shards. A long program has fewer of them where they are full, and each takes more of its GPU's memory. The executor makes
/// them, so a run of a proof has one size for all of its provers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ShardSize {
    /// Fits GPUs of 24 GB.
    Reduced,
    /// SP1's own size, for CPUs and GPUs with more than 26 GiB.
    Full,
}

impl ShardSize {
    /// Trace elements of a shard, as SP1 6.10 counts them: `ELEMENT_THRESHOLD`, and what `sp1-gpu-prover` takes from it for small GPUs.
    pub const fn elements(self) -> u64 {
        let full = (1 << 28) + (1 << 27);
        match self {
            Self::Full => full,
            Self::Reduced => full - (1 << 26) - (1 << 25) - (1 << 24),
        }
    }

    /// The size for a prover that takes shards of up to so many elements; 0 for one that does not say.
    pub const fn within(elements: u64) -> Self {
        if elements >= Self::Full.elements() {
            Self::Full
        } else {
            Self::Reduced
        }
    }

    /// The metadata by which CoreExecute learns of it.
    pub(crate) fn order(self) -> String {
        format!(r#"{{"element_threshold":{}}}"#, self.elements())
    }
}

/// The GPUs that a cluster means to have, whether or not their workers are here yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GpuPools {
    /// Whether workers with GPUs are asked for now.
    pub wanted: bool,
    /// The largest shards that all of those GPUs took when they were seen last, or, while none is asked for, all that were seen; `None` if none was.
    pub shards: Option<ShardSize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prover_that_does_not_say_gets_the_small_ones() {
        assert_eq!(ShardSize::within(0), ShardSize::Reduced);
        let full = ShardSize::Full.elements();
        assert_eq!(ShardSize::within(full - 1), ShardSize::Reduced);
        assert_eq!(ShardSize::within(full), ShardSize::Full);
        assert_eq!(full, 402_653_184);
        assert_eq!(ShardSize::Reduced.elements(), 285_212_672);
    }
}
