//! What is known of one task and of its object. Pure.

use provost_coordinator::task_name;
use provost_crds::{ProvingTaskStatus, TaskState};
use provost_proto::worker::TaskType;

use super::object::TaskRecord;

/// A task, and how far its object is.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: TaskRecord,
    /// Whether a proof has one task of its type, if any.
    pub(super) single: bool,
    /// Status of the object, once it exists.
    pub(super) stored: Option<ProvingTaskStatus>,
    /// Whether it may exist though that is not known: the answer to its creation was lost.
    pub(super) perhaps: bool,
    /// Uid of the object, where it is known.
    pub(super) uid: Option<String>,
    /// Uid of the object that somebody deleted last.
    pub(super) vanished: Option<String>,
    /// Uid of the object that a write found gone, until its deletion is heard of.
    pub(super) missed: Option<String>,
    /// Whether an earlier leader made the object, and this one does not know yet how the task stands.
    pub(super) adopted: Option<Adopted>,
    /// When the object is to be there at the latest; `None` for a task that gets none yet.
    pub(super) due: Option<i64>,
    pub(super) dropped: bool,
    pub(super) queued: bool,
    pub(super) in_flight: bool,
    /// Since when the object is behind.
    pub(super) since: Option<i64>,
}

/// How much a new leader knows of a task whose object it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adopted {
    /// No word of it yet.
    Unclaimed,
    /// It exists; whether anybody has it is not known.
    Claimed,
}

impl Entry {
    pub(super) fn new(record: TaskRecord, stored: Option<ProvingTaskStatus>) -> Self {
        Self {
            single: is_single(&record.spec.task_type),
            record,
            stored,
            perhaps: false,
            uid: None,
            vanished: None,
            missed: None,
            adopted: None,
            due: None,
            dropped: false,
            queued: false,
            in_flight: false,
            since: None,
        }
    }

    /// Whether the object is to be away: the task is done or not needed. Failed ones stay, for people.
    pub(super) fn leaves(&self) -> bool {
        self.dropped || self.record.status.state == TaskState::Succeeded
    }

    /// The object is away, and is not made again before the task runs again.
    pub(super) fn lose_object(&mut self) {
        (self.stored, self.uid, self.perhaps) = (None, None, false);
    }

    /// Uid of the object that is to be there now, or was when it was last heard of.
    pub(super) fn expected(&self) -> Option<&str> {
        if self.leaves() {
            return None;
        }
        let stored = self.uid.as_ref().filter(|_| self.stored.is_some());
        stored.or(self.missed.as_ref()).map(String::as_str)
    }

    /// Whether it takes a place of the window.
    pub(super) fn counts(&self) -> bool {
        let windowed = !self.record.spec.root && !self.single;
        windowed && (self.stored.is_some() || self.in_flight || self.queued)
    }

    pub(super) fn behind(&self) -> bool {
        if self.leaves() {
            self.stored.is_some() || self.perhaps
        } else if self.adopted.is_some() {
            false
        } else {
            match &self.stored {
                Some(stored) => *stored != self.record.status,
                None => self.due.is_some(),
            }
        }
    }
}

fn is_single(task_type: &str) -> bool {
    use TaskType::{CoreExecute, Groth16Wrap, PlonkWrap, SetupVkey, ShrinkWrap};
    [CoreExecute, SetupVkey, ShrinkWrap, PlonkWrap, Groth16Wrap]
        .map(task_name)
        .contains(&task_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_has_many_tasks_of_some_types() {
        assert!(is_single("CoreExecute") && is_single("SetupVkey") && is_single("Groth16Wrap"));
        assert!(!is_single("ProveShard") && !is_single("RecursionReduce"));
    }
}
