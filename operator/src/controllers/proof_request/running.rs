//! What this process knows of the requests that it works on.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Time between two writes that only move the duration.
const TICK: Duration = Duration::from_secs(5);

/// Requests by uid.
#[derive(Debug, Default)]
pub struct Running {
    requests: Mutex<HashMap<String, Entry>>,
}

#[derive(Debug, Default)]
struct Entry {
    /// The coordinator has it.
    submitted: bool,
    /// The last run that it is known to have had.
    last_run: Option<u32>,
    /// Its intermediate artifacts were removed after its end.
    swept: bool,
    /// They were when it was suspended.
    emptied: bool,
    /// When its duration was last written.
    ticked: Option<Instant>,
    /// Since when it is being collected.
    collecting: Option<Instant>,
}

impl Running {
    /// Whether the coordinator has it.
    pub fn submitted(&self, uid: &str) -> bool {
        self.read(uid, |entry| entry.submitted)
    }

    /// The coordinator has it, or has it no more.
    pub fn set_submitted(&self, uid: &str, submitted: bool) {
        self.edit(uid, |entry| {
            entry.submitted = submitted;
            if submitted {
                // There is something to remove again.
                (entry.swept, entry.emptied, entry.collecting) = (false, false, None);
            }
        });
    }

    /// The last run that it is known to have had, whether that was written down or not.
    pub fn last_run(&self, uid: &str) -> Option<u32> {
        self.lock().get(uid)?.last_run
    }

    /// It had this run.
    pub fn had_run(&self, uid: &str, run: Option<u32>) {
        self.edit(uid, |entry| entry.last_run = entry.last_run.max(run));
    }

    /// Whether its intermediate artifacts were removed.
    pub fn swept(&self, uid: &str) -> bool {
        self.read(uid, |entry| entry.swept)
    }

    /// Its intermediate artifacts were removed.
    pub fn set_swept(&self, uid: &str) {
        self.edit(uid, |entry| entry.swept = true);
    }

    /// Whether its intermediate artifacts were removed since it was suspended.
    pub fn emptied(&self, uid: &str) -> bool {
        self.read(uid, |entry| entry.emptied)
    }

    /// Its intermediate artifacts were removed, and it may yet go on. What is waited for at its end is waited for anew.
    pub fn set_emptied(&self, uid: &str) {
        self.edit(uid, |entry| {
            (entry.emptied, entry.collecting) = (true, None)
        });
    }

    /// Whether it is time to write the duration again.
    pub fn tick(&self, uid: &str) -> bool {
        self.edit(uid, |entry| {
            let due = entry.ticked.is_none_or(|at| at.elapsed() >= TICK);
            if due {
                entry.ticked = Some(Instant::now());
            }
            due
        })
    }

    /// How long it has been collected, from the first call on.
    pub fn collecting(&self, uid: &str) -> Duration {
        self.edit(uid, |entry| {
            entry.collecting.get_or_insert_with(Instant::now).elapsed()
        })
    }

    /// It is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn read(&self, uid: &str, read: impl Fn(&Entry) -> bool) -> bool {
        self.lock().get(uid).is_some_and(read)
    }

    fn edit<T>(&self, uid: &str, edit: impl FnOnce(&mut Entry) -> T) -> T {
        edit(self.lock().entry(uid.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
