//! Everything the coordinator knows, and the few operations that keep it consistent.
//!
//! Fields are private to this module and its children: the reactor decides what happens, the methods here see to it that counts, holds and the
//! schedule agree afterwards. [`Core::check`] states what "agree" means; tests call it after every event.

mod channel;
#[cfg(test)]
mod check;
mod deadlines;
mod departure;
mod hold;
mod kinds;
mod link;
mod members;
mod moves;
mod names;
mod nodes;
mod outlook;
mod pace;
mod proof;
mod recovery;
mod schedule;
mod sizing;
mod spare;
mod standstill;
mod stray;
mod sub;
mod tally;
mod task;
mod views;
mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::Millis;
use crate::config::Config;
use crate::ids::{ConnId, ProofId, SubId, TaskId, WorkerId};
use crate::shards::GpuPools;
use crate::tables::{Map, Set};

pub(crate) use channel::Channel;
pub(crate) use departure::{Departure, Lost};
pub(crate) use hold::Hold;
pub(crate) use kinds::from_ticks;
pub(crate) use link::{Link, LinkId};
pub(crate) use proof::{Ended, Proof};
pub(crate) use recovery::Recovery;
pub(crate) use stray::{Stray, StrayDone};
pub(crate) use sub::{Sub, Unacked};
pub(crate) use tally::{Lot, Tally};
pub(crate) use task::{Held, Phase, Task, is_unit};
pub(crate) use worker::{Worker, serves};

/// Between two looks at what takes minutes.
const LOOK: Millis = 1_000;

/// The whole state.
pub(crate) struct Core {
    config: Config,
    proofs: Map<ProofId, Proof>,
    /// In boxes: the table grows while everybody waits.
    tasks: Map<TaskId, Box<Task>>,
    workers: BTreeMap<WorkerId, Worker>,
    pods: HashMap<String, worker::Registrations>,
    /// Pods that get no tasks, registered or not. Holds in every term.
    cordoned: BTreeSet<String>,
    /// The nodes that pods run on, registered or not. Holds in every term.
    nodes: nodes::Nodes,
    /// The GPUs that there will be. Holds in every term.
    gpu_pools: GpuPools,
    subs: HashMap<SubId, Sub>,
    channels: Map<TaskId, Channel>,
    readers: HashMap<ConnId, TaskId>,
    links: link::Links,
    /// In which this replica leads; 0 while it does not.
    epoch: u64,
    /// The highest that anyone has spoken of.
    seen_epoch: u64,
    recovery: Option<Recovery>,
    schedule: schedule::Schedule,
    dirty: Set<ProofId>,
    paces: pace::Paces,
    /// When what is looked at once a second is due.
    next_look: Millis,
    /// Last sequence number given to a task.
    seq: u64,
    total_tasks: u64,
}

impl Core {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            schedule: schedule::Schedule::new(),
            config,
            proofs: Map::default(),
            tasks: Map::default(),
            workers: BTreeMap::new(),
            pods: HashMap::new(),
            cordoned: BTreeSet::new(),
            nodes: nodes::Nodes::default(),
            gpu_pools: GpuPools::default(),
            subs: HashMap::new(),
            channels: Map::default(),
            readers: HashMap::new(),
            links: link::Links::default(),
            epoch: 0,
            seen_epoch: 0,
            recovery: None,
            dirty: Set::default(),
            paces: pace::Paces::default(),
            next_look: 0,
            seq: 0,
            total_tasks: 0,
        }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The next waiting task that fits a worker, and that worker: it has the task now, as far as the scheduler goes.
    pub(crate) fn next_placement(&mut self, now: Millis) -> Option<(TaskId, WorkerId)> {
        self.schedule.next(now)
    }

    /// Proofs whose counts changed since the last call.
    pub(crate) fn take_dirty(&mut self) -> Vec<ProofId> {
        in_order(self.dirty.drain())
    }

    /// Whether it is time for what is looked at once a second.
    pub(crate) const fn look_is_due(&mut self, now: Millis) -> bool {
        let due = now >= self.next_look;
        if due {
            self.next_look = now + LOOK;
        }
        due
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
