//! A stock prover: a node that speaks SP1's own contract, to whoever leads. It keeps nothing but what it runs, and says that in its heartbeats.

use std::collections::BTreeMap;

use bytes::Bytes;
use provost_proto::worker::{TaskData, TaskType};

use crate::Millis;
use crate::ids::{ConnId, ProofId, TaskId, WorkerId};
use crate::output::Order;

/// A task that it runs.
pub(super) struct Running {
    pub(super) proof: ProofId,
    /// The marker that a shard completes with itself.
    pub(super) marker: Option<TaskId>,
    pub(super) cancelled: bool,
    pub(super) serial: u64,
}

/// The stream on which it gets its orders.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) replica: usize,
    /// Which process of that replica.
    pub(super) life: u64,
    pub(super) conn: ConnId,
}

pub(super) struct Stock {
    pub(super) id: WorkerId,
    pub(super) alive: bool,
    pub(super) stream: Option<Stream>,
    pub(super) running: BTreeMap<TaskId, Running>,
}

/// What it does next.
pub(super) enum Turn {
    Nothing,
    /// The task with this serial number goes on after a while.
    Works(TaskId, u64),
}

impl Stock {
    pub(super) fn new(number: usize) -> Self {
        Self {
            id: format!("s{number}").into(),
            alive: true,
            stream: None,
            running: BTreeMap::new(),
        }
    }

    /// What its heartbeat says.
    pub(super) fn active(&self) -> Vec<(ProofId, TaskId)> {
        let running = self.running.iter();
        running
            .map(|(task, running)| (running.proof.clone(), task.clone()))
            .collect()
    }

    /// An order has come. The same may come twice.
    pub(super) fn hear(&mut self, order: Order, serial: u64) -> Turn {
        match order {
            Order::Beat => Turn::Nothing,
            Order::Run { task, data } => {
                if self.running.contains_key(&task) {
                    return Turn::Nothing;
                }
                self.running.insert(task.clone(), running(&data, serial));
                Turn::Works(task, serial)
            }
            Order::Cancel { task, .. } => match self.running.get_mut(&task) {
                Some(running) => {
                    running.cancelled = true;
                    running.serial = serial;
                    Turn::Works(task, serial)
                }
                None => Turn::Nothing,
            },
        }
    }
}

fn running(data: &Bytes, serial: u64) -> Running {
    let data = TaskData::from_bytes(data).unwrap();
    let shard = data.task_type() == TaskType::ProveShard;
    let marker = data.inputs.first().filter(|_| shard);
    Running {
        proof: data.proof_id.as_str().into(),
        marker: marker.map(|marker| marker.as_str().into()),
        cancelled: false,
        serial,
    }
}

/// Time between two heartbeats.
pub(super) const BEAT: Millis = 2_000;
