//! Randomness that a seed repeats.

/// SplitMix64.
#[derive(Clone)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` up to, and without, `high`.
    pub(super) const fn range(&mut self, low: i64, high: i64) -> i64 {
        let width = (high - low) as u64;
        low + (self.next() % width) as i64
    }

    pub(super) const fn chance(&mut self, percent: i64) -> bool {
        self.range(0, 100) < percent
    }

    pub(super) fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count.max(1) as u64).unwrap()
    }
}
