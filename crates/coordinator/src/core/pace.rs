//! How long tasks of each type take, learnt from those that ended.

use std::collections::BTreeMap;

use provost_proto::worker::TaskType;

use super::Core;
use crate::Millis;
use crate::attempts::LONGEST_ATTEMPT;

/// How much a further attempt counts against those before it: one part in this many.
const WEIGHT: Millis = 8;

/// A running mean of what attempts took, by type of task.
#[derive(Debug, Default)]
pub(super) struct Paces(BTreeMap<TaskType, Millis>);

impl Paces {
    fn note(&mut self, kind: TaskType, took: Millis) {
        let took = took.clamp(0, LONGEST_ATTEMPT);
        let mean = self.0.entry(kind).or_insert(took);
        *mean += (took - *mean) / WEIGHT;
    }
}

impl Core {
    /// An attempt has ended well.
    pub(crate) fn note_pace(&mut self, kind: TaskType, took: Millis) {
        self.paces.note(kind, took);
    }

    /// How long an attempt at a task of the type takes, with something to spare; `None` if none has ended yet.
    pub(crate) fn pace(&self, kind: TaskType) -> Option<Millis> {
        let mean = self.paces.0.get(&kind)?;
        Some(mean.saturating_add(mean / 2))
    }
}

#[cfg(test)]
mod tests {
    use provost_proto::worker::TaskType::ProveShard;

    use super::*;

    #[test]
    fn the_mean_follows_what_is_seen() {
        let mut paces = Paces::default();
        paces.note(ProveShard, 1_000);
        assert_eq!(paces.0[&ProveShard], 1_000);
        paces.note(ProveShard, 1_800);
        assert_eq!(paces.0[&ProveShard], 1_100);
        for _ in 0..100 {
            paces.note(ProveShard, 100);
        }
        assert!(paces.0[&ProveShard] < 120);
        paces.note(ProveShard, -5);
    }
}
