//! Stock provers, and their calls. A call reaches the replica of the node's stream, or nobody.

use provost_proto::worker::WorkerType;

use super::super::stock::{BEAT, Stock, Stream, Turn};
use super::*;
use crate::ids::{ConnId, TaskId, WorkerId};
use crate::output::Order;
use crate::reactor::Opened;
use crate::refusal::Refusal;
use crate::shards::ShardSize;

/// Time between two attempts at a call.
const AGAIN: Millis = 300;

impl World {
    pub(super) fn respawn_stock(&mut self) {
        self.pods += 1;
        let node = self.stock.len();
        self.stock.push(Stock::new(self.pods));
        self.at(1, Event::StockOpen(node));
        self.at(BEAT, Event::StockBeat(node));
    }

    /// The node opens its stream, at a replica that says that it leads.
    pub(super) fn stock_open(&mut self, node: usize) {
        let stock = &self.stock[node];
        if !stock.alive || stock.stream.is_some() {
            return;
        }
        let (id, conn) = (stock.id.clone(), self.next_number());
        let mut leads = (0..REPLICAS)
            .filter(|replica| self.replicas[*replica].life.is_some())
            .filter(|replica| self.replicas[*replica].core.epoch() > 0);
        let Some(replica) = leads.next() else {
            self.at(AGAIN, Event::StockOpen(node));
            return;
        };
        let life = self.replicas[replica].life.unwrap();
        self.stock[node].stream = Some(Stream {
            replica,
            life,
            conn,
        });
        let opened = Opened {
            id,
            kind: WorkerType::Gpu,
            max_weight: 9,
            provers: None,
            device: None,
            shards: ShardSize::Reduced,
            version: String::new(),
            conn,
            link: None,
        };
        self.say(|| format!("stock {node} opens at {replica}"));
        self.react(replica, |r| r.worker_opened(opened));
    }

    /// Calls the replica of the node's stream; `None` if it can not be reached or does not lead. The node then opens another.
    fn call<R>(
        &mut self,
        node: usize,
        event: impl FnOnce(&mut Reactor<'_>) -> Result<R, Refusal>,
    ) -> Option<Result<R, Refusal>> {
        let stream = self.stock[node].stream?;
        let replica = &self.replicas[stream.replica];
        if replica.life == Some(stream.life) && replica.core.epoch() > 0 {
            return self.react(stream.replica, event);
        }
        self.stock_closed(node);
        None
    }

    /// The node has no stream any more.
    fn stock_closed(&mut self, node: usize) {
        self.stock[node].stream = None;
        let after = self.rng.range(0, 1_000);
        self.at(after, Event::StockOpen(node));
    }

    pub(super) fn stock_beat(&mut self, node: usize) {
        if !self.stock[node].alive {
            return;
        }
        let (id, active) = (self.stock[node].id.clone(), self.stock[node].active());
        let weight = 4 * u32::try_from(active.len()).unwrap();
        let answer = self.call(node, |r| r.heartbeat(&id, &active, weight));
        if let Some(Err(Refusal::UnknownWorker(_) | Refusal::NoStream(_))) = answer {
            self.stock_closed(node);
        }
        self.at(BEAT, Event::StockBeat(node));
    }

    /// A replica has an order for a worker of the stock door. False if there is none of that name.
    pub(super) fn stock_ordered(&mut self, worker: &WorkerId, order: Order) -> bool {
        let mut nodes = self.stock.iter();
        let Some(node) = nodes.position(|stock| stock.id == *worker) else {
            return false;
        };
        if let Some(stream) = self.stock[node].stream {
            let after = self.rng.range(0, 20);
            self.at(after, Event::StockOrder(node, stream.conn, order));
        }
        true
    }

    pub(super) fn stock_hears(&mut self, node: usize, conn: ConnId, order: Order) {
        let serial = self.next_number();
        let stock = &mut self.stock[node];
        if !stock.alive || stock.stream.is_none_or(|stream| stream.conn != conn) {
            return;
        }
        if let Turn::Works(task, serial) = stock.hear(order, serial) {
            let after = self.rng.range(5, 400);
            self.at(after, Event::StockWork(node, task, serial));
        }
    }

    /// A task of the node is done, or has stopped.
    pub(super) fn stock_works(&mut self, node: usize, task: TaskId, serial: u64) {
        let stock = &self.stock[node];
        let Some(running) = stock.running.get(&task) else {
            return;
        };
        if !stock.alive || running.serial != serial {
            return;
        }
        if running.cancelled {
            self.stock[node].running.remove(&task);
            return;
        }
        let (id, proof, marker) = (
            stock.id.clone(),
            running.proof.clone(),
            running.marker.clone(),
        );
        let done = [marker, Some(task.clone())];
        let mut answer = None;
        for done in done.into_iter().flatten() {
            answer = self.call(node, |r| {
                r.task_completed(&id, &proof, &done, String::new())
            });
        }
        // An answer may be lost, and nobody may have answered: it says so again.
        if answer.is_none() || self.rng.chance(5) {
            self.at(AGAIN, Event::StockWork(node, task, serial));
        } else {
            self.say(|| format!("stock {node} is done with {task}: {answer:?}"));
            self.stock[node].running.remove(&task);
        }
    }

    /// Its stream breaks: orders under way are lost.
    pub(super) fn break_stock(&mut self, node: usize) {
        let Some(stream) = self.stock[node].stream.take() else {
            return;
        };
        let (id, after) = (self.stock[node].id.clone(), self.rng.range(0, 1_500));
        self.at(
            after,
            Event::StockGone(stream.replica, stream.life, id, stream.conn),
        );
        let after = self.rng.range(0, 1_000);
        self.at(after, Event::StockOpen(node));
    }

    pub(super) fn kill_stock(&mut self, node: usize, seen: Option<Millis>) {
        if !self.stock[node].alive {
            return;
        }
        self.stock[node].alive = false;
        self.stock[node].running.clear();
        self.break_stock(node);
        if let Some(after) = seen {
            let pod = self.stock[node].id.pod().to_owned();
            self.at(after, Event::PodGone(pod));
        }
        let after = self.rng.range(500, 6_000);
        self.at(after, Event::StockRespawn);
    }

    /// One of those that live.
    pub(super) fn some_stock(&self, n: usize) -> Option<usize> {
        let alive = self.stock.iter().enumerate().filter(|(_, s)| s.alive);
        let alive: Vec<_> = alive.map(|(i, _)| i).collect();
        (!alive.is_empty()).then(|| alive[n % alive.len()])
    }
}
