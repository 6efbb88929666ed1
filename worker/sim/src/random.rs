//! Randomness: a seeded stream where a run must repeat itself, and bits that never repeat for names.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// A stream of numbers that depends on its seed alone (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream of a seed and a name, apart from those of other names.
    pub(crate) fn named(seed: u64, name: &str) -> Self {
        // FNV-1a: the name need not be hidden, only spread.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut random = Self(seed ^ hash);
        random.bits();
        random
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number from 0 up to 1, 1 left out.
    pub(crate) fn unit(&mut self) -> f64 {
        // 53 bits: as many as the mantissa holds.
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// 64 bits that no other call returns: the standard library seeds every hasher differently.
pub(crate) fn unique() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_names_differ() {
        let mut a = Random::named(7, "p1");
        let mut b = Random::named(7, "p1");
        let mut c = Random::named(7, "p2");
        assert_eq!(a.bits(), b.bits());
        assert_ne!(a.bits(), c.bits());
        assert!((0..1000).map(|_| a.unit()).all(|x| (0.0..1.0).contains(&x)));
    }
}
