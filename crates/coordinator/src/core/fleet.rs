//! The workers that take tasks, by how much they have free.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use provost_proto::worker::WorkerType;

use crate::ids::WorkerId;

/// An index of the workers that take tasks now: the emptiest first, so that whether anything fits is one look.
#[derive(Default)]
pub(crate) struct Fleet {
    cpu: BTreeSet<(Reverse<u64>, WorkerId)>,
    gpu: BTreeSet<(Reverse<u64>, WorkerId)>,
}

/// Whether a worker of type `kind` runs tasks of class `class`.
pub(crate) const fn serves(kind: WorkerType, class: WorkerType) -> bool {
    matches!(
        (kind, class),
        (WorkerType::Cpu | WorkerType::All, WorkerType::Cpu)
            | (WorkerType::Gpu | WorkerType::All, WorkerType::Gpu)
    )
}

impl Fleet {
    pub(super) fn insert(&mut self, kind: WorkerType, free: u64, id: &WorkerId) {
        if serves(kind, WorkerType::Cpu) {
            self.cpu.insert((Reverse(free), id.clone()));
        }
        if serves(kind, WorkerType::Gpu) {
            self.gpu.insert((Reverse(free), id.clone()));
        }
    }

    pub(super) fn remove(&mut self, kind: WorkerType, free: u64, id: &WorkerId) {
        let key = (Reverse(free), id.clone());
        if serves(kind, WorkerType::Cpu) {
            self.cpu.remove(&key);
        }
        if serves(kind, WorkerType::Gpu) {
            self.gpu.remove(&key);
        }
    }

    /// The workers of a class, the emptiest first, each with what it has free.
    pub(crate) fn by_free(&self, class: WorkerType) -> impl Iterator<Item = (u64, &WorkerId)> {
        let set = match class {
            WorkerType::Cpu => Some(&self.cpu),
            WorkerType::Gpu => Some(&self.gpu),
            _ => None,
        };
        set.into_iter().flatten().map(|(free, id)| (free.0, id))
    }
}
