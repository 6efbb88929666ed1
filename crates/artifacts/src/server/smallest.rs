//! The first of many keys that come in no order, without holding them all.

use std::collections::BinaryHeap;
use std::path::PathBuf;

/// The smallest keys so far, each with its file.
#[derive(Debug)]
pub(super) struct Smallest {
    most: usize,
    /// The largest of them on top.
    kept: BinaryHeap<(String, PathBuf)>,
}

impl Smallest {
    /// Keeps `most` keys.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            kept: BinaryHeap::new(),
        }
    }

    /// Keeps `key` if it is among the smallest. Its `file` is asked for only then.
    pub(super) fn offer(&mut self, key: String, file: impl FnOnce() -> PathBuf) {
        if self.kept.len() < self.most {
            self.kept.push((key, file()));
        } else if let Some(mut largest) = self.kept.peek_mut()
            && key < largest.0
        {
            *largest = (key, file());
        }
    }

    /// The keys in their order.
    pub(super) fn in_order(self) -> Vec<(String, PathBuf)> {
        self.kept.into_sorted_vec()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_more_are_kept_than_are_asked_for(keys: Vec<String>, most in 0usize..10) {
            let mut smallest = Smallest::new(most);
            for key in &keys {
                smallest.offer(key.clone(), || PathBuf::from(key));
                prop_assert!(smallest.kept.len() <= most);
            }
            let mut expected = keys;
            expected.sort();
            expected.truncate(most);
            let found = smallest.in_order();
            prop_assert!(found.iter().all(|(key, file)| file.as_os_str() == key.as_str()));
            let found: Vec<String> = found.into_iter().map(|(key, _)| key).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
