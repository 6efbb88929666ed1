//! The tasks of a proof's run.

use crate::ids::TaskId;
use crate::tables::OrderedSet;

/// Tasks by name. Those that are final stay, for whoever asks how they ended, and may be a hundred thousand: who looks for what goes on must not
/// have to look through them.
#[derive(Debug, Default)]
pub(crate) struct Members {
    open: OrderedSet<TaskId>,
    /// In the order in which they ended.
    closed: Vec<TaskId>,
}

impl Members {
    /// Those that are not final.
    pub(crate) fn open(&self) -> impl Iterator<Item = &TaskId> {
        self.open.iter()
    }

    /// All of them, those first that are final.
    pub(crate) fn all(&self) -> impl Iterator<Item = &TaskId> {
        self.closed.iter().chain(&self.open)
    }

    /// Takes out all of them.
    pub(crate) fn take(&mut self) -> Vec<TaskId> {
        let mut all = std::mem::take(&mut self.closed);
        all.extend(std::mem::take(&mut self.open));
        all
    }

    /// Adds one that is not final.
    pub(super) fn add(&mut self, task: TaskId) {
        self.open.insert(task);
    }

    /// One of them is final from now on.
    pub(super) fn close(&mut self, task: &TaskId) {
        if let Some(task) = self.open.swap_take(task) {
            self.closed.push(task);
        }
    }

    pub(super) fn remove(&mut self, task: &TaskId) {
        if self.open.swap_remove(task) {
            return;
        }
        // Hardly ever: what is final goes with all others.
        if let Some(at) = self.closed.iter().rposition(|closed| closed == task) {
            self.closed.swap_remove(at);
        }
    }
}
