//! A task's place in the order, as something that compares.

use std::cmp::Reverse;

use crate::Millis;

/// What counts before fair share: priority, then urgency. The smaller goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Band {
    priority: Reverse<i32>,
    /// When an urgent proof must start at the latest; the end of time for others.
    start_by: Millis,
}

impl Band {
    pub(crate) const fn normal(priority: i32) -> Self {
        Self {
            priority: Reverse(priority),
            start_by: Millis::MAX,
        }
    }

    pub(crate) fn urgent(priority: i32, start_by: Millis) -> Self {
        Self {
            priority: Reverse(priority),
            start_by: start_by.min(Millis::MAX - 1),
        }
    }

    pub(crate) const fn is_urgent(self) -> bool {
        self.start_by < Millis::MAX
    }

    pub(crate) const fn priority(self) -> i32 {
        self.priority.0
    }
}

/// Order of a proof's tasks: the later stage first, then the older task. One number: the stage above, the task's number below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(u64);

impl Rank {
    const AGE_BITS: u32 = 56;

    pub(crate) const fn new(stage: u8, seq: u64) -> Self {
        let age = seq & ((1 << Self::AGE_BITS) - 1);
        Self(((u8::MAX - stage) as u64) << Self::AGE_BITS | age)
    }
}

/// A task's place among all that wait. The smaller goes first; no two are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) band: Band,
    /// What the tenant has, in proportion to its share; 0 for an urgent proof, which does not share.
    pub(crate) tenant: u64,
    /// What the proof has; 0 for an urgent one.
    pub(crate) proof: u64,
    pub(crate) rank: Rank,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_comes_first_and_age_last() {
        let key = |band, tenant, proof, stage, seq| Key {
            band,
            tenant,
            proof,
            rank: Rank::new(stage, seq),
        };
        let sorted = [
            key(Band::urgent(2, 50), 0, 0, 0, 9),
            key(Band::normal(2), 9, 9, 0, 9),
            key(Band::urgent(1, 10), 0, 0, 0, 9),
            key(Band::urgent(1, 20), 0, 0, 9, 1),
            key(Band::normal(1), 0, 9, 0, 9),
            key(Band::normal(1), 1, 0, 0, 9),
            key(Band::normal(1), 1, 1, 7, 9),
            key(Band::normal(1), 1, 1, 3, 1),
            key(Band::normal(1), 1, 1, 3, 2),
            key(Band::normal(-1), 0, 0, 9, 0),
        ];
        assert!(sorted.is_sorted());
    }
}
