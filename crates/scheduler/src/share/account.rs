//! What one tenant or proof has.

use crate::shape::Class;

/// Weight taken up by class, in GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    used: [u64; 2],
    share: u32,
}

impl Account {
    /// Fraction bits of [`Account::standing`].
    const SCALE: u32 = 16;

    /// An account that is due `share` times what one with a share of 1 is due; 0 counts as 1.
    pub(crate) fn new(share: u32) -> Self {
        Self {
            used: [0; 2],
            share: share.max(1),
        }
    }

    pub(crate) fn set_share(&mut self, share: u32) {
        self.share = share.max(1);
    }

    pub(crate) fn charge(&mut self, class: Class, weight: u32) {
        let used = &mut self.used[class.index()];
        *used = used.saturating_add(u64::from(weight));
    }

    pub(crate) fn refund(&mut self, class: Class, weight: u32) {
        let used = &mut self.used[class.index()];
        *used = used.saturating_sub(u64::from(weight));
    }

    pub(crate) const fn used(&self, class: Class) -> u64 {
        self.used[class.index()]
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.used[0] == 0 && self.used[1] == 0
    }

    /// What compares: weight taken up in proportion to the share. The smaller goes first.
    pub(crate) const fn standing(&self, class: Class) -> u64 {
        let scaled = self.used(class).saturating_mul(1 << Self::SCALE);
        if self.share == 1 {
            return scaled;
        }
        scaled / self.share as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_share_stands_as_well_with_twice_the_weight() {
        let (mut one, mut two) = (Account::new(1), Account::new(2));
        one.charge(Class::Gpu, 4);
        two.charge(Class::Gpu, 8);
        assert_eq!(one.standing(Class::Gpu), two.standing(Class::Gpu));
        assert_eq!(one.standing(Class::Cpu), 0);
        one.refund(Class::Gpu, 4);
        assert!(one.is_empty());
    }
}
