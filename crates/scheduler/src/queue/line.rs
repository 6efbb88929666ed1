//! Tasks in the order of their ranks.
//!
//! Almost always they come at the end and go at the front, so they are in a ring, and that costs one look into memory where a tree costs three. What leaves from the
//! middle leaves a gap, found in O(log n), and gaps are closed when they are half of all. What enters before others moves those on the shorter side: a task that goes
//! again was at the front before, and so are its like.

use std::collections::VecDeque;

use crate::keys::TaskKey;
use crate::order::Rank;

/// Tasks in the order of their ranks. The first place is never a gap.
#[derive(Default)]
pub(super) struct Line {
    places: VecDeque<(Rank, Option<TaskKey>)>,
    gaps: usize,
    first: Option<(Rank, TaskKey)>,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self {
            places: VecDeque::new(),
            gaps: 0,
            first: None,
        }
    }

    pub(super) const fn first(&self) -> Option<(Rank, TaskKey)> {
        self.first
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.gaps
    }

    /// Adds a task. The answer is whether it is the first now.
    pub(super) fn insert(&mut self, rank: Rank, task: TaskKey) -> bool {
        let is_last = self.places.back().is_none_or(|(last, _)| *last < rank);
        if is_last {
            self.places.push_back((rank, Some(task)));
        } else {
            match self.places.binary_search_by_key(&rank, |(r, _)| *r) {
                Ok(at) => {
                    // Its own gap: it has been here before.
                    let gap = self.places[at].1.replace(task).is_none();
                    self.gaps -= usize::from(gap);
                }
                Err(at) => self.places.insert(at, (rank, Some(task))),
            }
        }
        let is_first = self.first.is_none_or(|(first, _)| rank < first);
        if is_first {
            self.first = Some((rank, task));
        }
        is_first
    }

    /// Takes a task out. The answer is whether it was there.
    pub(super) fn remove(&mut self, rank: Rank) -> bool {
        if self.first.is_some_and(|(first, _)| first == rank) {
            self.places.pop_front();
            self.close_front();
            return true;
        }
        let Ok(at) = self.places.binary_search_by_key(&rank, |(r, _)| *r) else {
            return false;
        };
        if self.places[at].1.take().is_none() {
            return false;
        }
        self.gaps += 1;
        if self.gaps * 2 > self.places.len() {
            self.places.retain(|(_, task)| task.is_some());
            self.gaps = 0;
        }
        true
    }

    fn close_front(&mut self) {
        self.first = loop {
            match self.places.front() {
                Some((rank, Some(task))) => break Some((*rank, *task)),
                Some((_, None)) => {
                    self.places.pop_front();
                    self.gaps -= 1;
                }
                None => break None,
            }
        };
        // What a burst took is given back.
        if self.places.capacity() > 1_024 && self.places.len() * 8 < self.places.capacity() {
            self.places.shrink_to(self.places.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::keys::Key;

    proptest! {
        #[test]
        fn it_is_a_sorted_map(steps in prop::collection::vec((any::<bool>(), 0u8..3, 0u64..40), 1..300)) {
            let mut line = Line::new();
            let mut model = BTreeMap::new();
            for (add, stage, seq) in steps {
                let rank = Rank::new(stage, seq);
                if add && !model.contains_key(&rank) {
                    let task = TaskKey::new(u32::try_from(seq).unwrap(), u32::from(stage));
                    model.insert(rank, task);
                    let first = model.first_key_value().map(|(r, _)| *r);
                    prop_assert_eq!(line.insert(rank, task), first == Some(rank));
                } else if !add {
                    prop_assert_eq!(line.remove(rank), model.remove(&rank).is_some());
                }
                prop_assert_eq!(line.first(), model.first_key_value().map(|(r, t)| (*r, *t)));
                prop_assert_eq!(line.len(), model.len());
            }
        }
    }
}
