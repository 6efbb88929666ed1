//! Everything the coordinator knows, and the few operations that keep it consistent.
//!
//! Fields are private to this module and its children: the reactor decides what happens, the methods here see to it that queues, counts, weights and
//! indexes agree afterwards. [`Core::check`] states what "agree" means; tests call it after every event.

mod channel;
#[cfg(test)]
mod check;
mod fleet;
mod link;
mod proof;
mod queue;
mod recovery;
mod stray;
mod sub;
mod task;
mod views;
mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::Millis;
use crate::config::Config;
use crate::ids::{ConnId, ProofId, SubId, TaskId, WorkerId};

pub(crate) use channel::Channel;
pub(crate) use fleet::{Fleet, serves};
pub(crate) use link::{Link, LinkId};
pub(crate) use proof::{Ended, Proof, ProofOrder};
pub(crate) use queue::{Queue, Shape};
pub(crate) use recovery::Recovery;
pub(crate) use stray::{Stray, StrayDone};
pub(crate) use sub::{Sub, Unacked};
pub(crate) use task::{Held, Phase, Task, is_unit};
pub(crate) use worker::{Hold, Worker};

/// The whole state.
pub(crate) struct Core {
    config: Config,
    proofs: HashMap<ProofId, Proof>,
    tasks: HashMap<TaskId, Task>,
    workers: BTreeMap<WorkerId, Worker>,
    pods: HashMap<String, BTreeSet<WorkerId>>,
    subs: HashMap<SubId, Sub>,
    channels: HashMap<TaskId, Channel>,
    readers: HashMap<ConnId, TaskId>,
    links: link::Links,
    /// In which this replica leads; 0 while it does not.
    epoch: u64,
    /// The highest that anyone has spoken of.
    seen_epoch: u64,
    recovery: Option<Recovery>,
    queue: Queue,
    fleet: Fleet,
    delayed: BTreeSet<(Millis, TaskId)>,
    dirty: HashSet<ProofId>,
    /// Something changed that may let a waiting task run.
    wake: bool,
    /// Last sequence number given to a proof or a task.
    seq: u64,
    total_tasks: u64,
}

impl Core {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            proofs: HashMap::new(),
            tasks: HashMap::new(),
            workers: BTreeMap::new(),
            pods: HashMap::new(),
            subs: HashMap::new(),
            channels: HashMap::new(),
            readers: HashMap::new(),
            links: link::Links::default(),
            epoch: 0,
            seen_epoch: 0,
            recovery: None,
            queue: Queue::default(),
            fleet: Fleet::default(),
            delayed: BTreeSet::new(),
            dirty: HashSet::new(),
            wake: false,
            seq: 0,
            total_tasks: 0,
        }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    pub(crate) fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Whether something changed since the last call that may let a waiting task run.
    pub(crate) fn take_wake(&mut self) -> bool {
        std::mem::take(&mut self.wake)
    }

    /// Proofs whose counts changed since the last call.
    pub(crate) fn take_dirty(&mut self) -> Vec<ProofId> {
        in_order(self.dirty.drain())
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }
}

/// Ids out of a table that has no order, so that the same events always lead to the same commands.
fn in_order<T: Ord>(ids: impl Iterator<Item = T>) -> Vec<T> {
    let mut ids: Vec<_> = ids.collect();
    ids.sort_unstable();
    ids
}
