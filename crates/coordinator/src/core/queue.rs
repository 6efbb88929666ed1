//! The tasks that wait for a worker, in the order in which they are to run.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use provost_proto::worker::WorkerType;

use super::ProofOrder;
use crate::ids::{ProofId, TaskId};

/// What a task asks of a worker. Tasks of one shape fit the same workers, so they share a queue: when its head does not fit, the rest does not either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Shape {
    pub(crate) class: WorkerType,
    /// Memory, in GiB.
    pub(crate) weight: u32,
    /// Memory that some worker of the class must be able to give to this task's children while this task runs. Else as many Controllers as fit would
    /// fill the workers, and wait for ever for a place for their CoreExecute.
    pub(crate) reserve: u32,
}

/// Order of a proof's tasks: the later stage first, then the older task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    stage: Reverse<u8>,
    seq: u64,
}

impl Rank {
    pub(crate) const fn new(stage: u8, seq: u64) -> Self {
        Self {
            stage: Reverse(stage),
            seq,
        }
    }
}

/// Waiting tasks: by shape, then by proof, then by rank. A proof that may not run more is stepped over as a whole.
#[derive(Default)]
pub(crate) struct Queue {
    shapes: BTreeMap<Shape, BTreeMap<ProofOrder, ProofQueue>>,
    len: usize,
}

struct ProofQueue {
    proof: ProofId,
    tasks: BTreeMap<Rank, TaskId>,
}

/// A task at the head of a shape's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) order: (ProofOrder, Rank),
    pub(crate) task: TaskId,
}

impl Queue {
    pub(super) fn insert(
        &mut self,
        shape: Shape,
        order: &ProofOrder,
        proof: &ProofId,
        rank: Rank,
        task: TaskId,
    ) {
        let tasks = &mut self
            .shapes
            .entry(shape)
            .or_default()
            .entry(order.clone())
            .or_insert_with(|| ProofQueue {
                proof: proof.clone(),
                tasks: BTreeMap::new(),
            })
            .tasks;
        if tasks.insert(rank, task).is_none() {
            self.len += 1;
        }
    }

    pub(super) fn remove(&mut self, shape: &Shape, order: &ProofOrder, rank: &Rank) {
        let Some(proofs) = self.shapes.get_mut(shape) else {
            return;
        };
        let Some(queue) = proofs.get_mut(order) else {
            return;
        };
        if queue.tasks.remove(rank).is_some() {
            self.len -= 1;
        }
        if queue.tasks.is_empty() {
            proofs.remove(order);
        }
        if proofs.is_empty() {
            self.shapes.remove(shape);
        }
    }

    /// Gives a proof another place among the proofs.
    pub(super) fn reorder(&mut self, old: &ProofOrder, new: &ProofOrder) {
        for proofs in self.shapes.values_mut() {
            if let Some(queue) = proofs.remove(old) {
                proofs.insert(new.clone(), queue);
            }
        }
    }

    /// How many tasks wait.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The shapes that tasks wait in.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = &Shape> {
        self.shapes.keys()
    }

    /// The first task of a shape whose proof is not to be stepped over.
    pub(crate) fn head(&self, shape: &Shape, step_over: impl Fn(&ProofId) -> bool) -> Option<Head> {
        self.shapes
            .get(shape)?
            .iter()
            .filter(|(_, queue)| !step_over(&queue.proof))
            .find_map(|(order, queue)| {
                let (rank, task) = queue.tasks.first_key_value()?;
                Some(Head {
                    order: (order.clone(), *rank),
                    task: task.clone(),
                })
            })
    }

    #[cfg(test)]
    pub(crate) fn ids(&self) -> Vec<TaskId> {
        let proofs = self.shapes.values().flat_map(BTreeMap::values);
        proofs.flat_map(|q| q.tasks.values().cloned()).collect()
    }
}
