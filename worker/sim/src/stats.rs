//! What the simulated workers of a process have done, in counts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use provost_proto::worker::TaskType;
use serde::Serialize;

/// How the tasks of one type fared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Orders received.
    pub started: u64,
    /// Done and reported.
    pub done: u64,
    /// Failed and reported.
    pub failed: u64,
    /// Stopped by the coordinator.
    pub cancelled: u64,
}

/// Counts by task type, over the life of the process; workers that crashed count too.
#[derive(Debug, Default)]
pub struct Stats {
    tallies: Mutex<BTreeMap<&'static str, Tally>>,
}

impl Stats {
    /// All counts, by the task type's name on the wire.
    pub fn all(&self) -> BTreeMap<&'static str, Tally> {
        self.lock().clone()
    }

    /// The counts of one type.
    pub fn of(&self, kind: TaskType) -> Tally {
        let tallies = self.lock();
        tallies.get(kind.as_str_name()).copied().unwrap_or_default()
    }

    pub(crate) fn count(&self, kind: TaskType, change: impl FnOnce(&mut Tally)) {
        change(self.lock().entry(kind.as_str_name()).or_default());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Tally>> {
        let tallies = self.tallies.lock();
        tallies.unwrap_or_else(PoisonError::into_inner)
    }
}
