//! Chance, the same for the same seed.

/// A small generator (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A time around `mean`, evenly within `spread` of it (0.4: from 60 to 140 %).
    pub(crate) fn around(&mut self, mean: f64, spread: f64) -> u64 {
        (mean * (1.0 + spread * (2.0 * self.unit() - 1.0))).max(1.0) as u64
    }

    /// Time to the next of events that come independently, `rate` of them a unit of time.
    pub(crate) fn exponential(&mut self, rate: f64) -> f64 {
        -(1.0 - self.unit()).ln() / rate
    }

    /// One of these, by weight.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [(f64, T)]) -> &'a T {
        let total: f64 = of.iter().map(|(weight, _)| weight).sum();
        let mut at = self.unit() * total;
        for (weight, item) in of {
            at -= weight;
            if at < 0.0 {
                return item;
            }
        }
        &of[of.len() - 1].1
    }
}
