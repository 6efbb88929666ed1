//! Who gets orders, results, messages.

use std::collections::HashMap;

use provost_proto::worker::TaskStatus;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::Command;
use crate::error::Ended;
use crate::order::{Order, Ticket};
use crate::state::{ListenerId, Start, WatcherId};
use crate::{Run, listener, watcher};

/// All consumers of a link.
#[derive(Default)]
pub(super) struct Consumers {
    pub(super) roles: HashMap<String, mpsc::UnboundedSender<Order>>,
    pub(super) watchers: HashMap<WatcherId, mpsc::UnboundedSender<watcher::Item>>,
    pub(super) listeners: HashMap<ListenerId, mpsc::UnboundedSender<listener::Item>>,
    /// Who waits for a proof's end to be stored.
    pub(super) concluding: HashMap<Run, Vec<oneshot::Sender<Result<(), Ended>>>>,
    /// What tells a running task that it is cancelled, with its serial number.
    cancels: HashMap<String, (u64, CancellationToken)>,
}

impl Consumers {
    /// Hands a task to its role's consumer. If that is gone the order is dropped, which reports it as failed.
    pub(super) fn start(&mut self, start: Start, commands: mpsc::UnboundedSender<Command>) {
        let Start {
            run,
            task_id,
            attempt,
            role,
            data,
            serial,
        } = start;
        let cancelled = CancellationToken::new();
        self.cancels
            .insert(task_id.clone(), (serial, cancelled.clone()));
        let ticket = Ticket::new(task_id.clone(), serial, commands);
        let orders = self.roles.get(&role);
        let order = Order {
            task_id,
            run,
            attempt,
            role: role.clone(),
            data,
            cancelled,
            ticket,
        };
        if let Some(orders) = orders {
            let _ = orders.send(order);
        }
    }

    pub(super) fn cancel(&self, task_id: &str, serial: u64) {
        if let Some((_, cancelled)) = self.cancels.get(task_id).filter(|(s, _)| *s == serial) {
            cancelled.cancel();
        }
    }

    /// A task has ended: there is nothing to cancel.
    pub(super) fn ended(&mut self, task_id: &str, serial: u64) {
        if self.cancels.get(task_id).is_some_and(|(s, _)| *s == serial) {
            self.cancels.remove(task_id);
        }
    }

    /// Whether somebody gets the result.
    pub(super) fn result(&self, watcher: WatcherId, task_id: String, status: TaskStatus) -> bool {
        let sink = self.watchers.get(&watcher);
        sink.is_some_and(|sink| sink.send(Ok((task_id, status))).is_ok())
    }

    /// The watcher gets no more.
    pub(super) fn unwatched(&mut self, watcher: WatcherId, run: &Run) {
        if let Some(sink) = self.watchers.remove(&watcher) {
            let _ = sink.send(Err(Ended::run_over(run)));
        }
    }

    pub(super) fn heard(&self, listener: ListenerId, payload: bytes::Bytes) {
        if let Some(sink) = self.listeners.get(&listener) {
            let _ = sink.send(Ok(Some(payload)));
        }
    }

    /// The channel has ended, or its run is over.
    pub(super) fn silent(&mut self, listener: ListenerId, over: Option<Run>) {
        if let Some(sink) = self.listeners.remove(&listener) {
            let end = over.map_or(Ok(None), |run| Err(Ended::run_over(&run)));
            let _ = sink.send(end);
        }
    }

    pub(super) fn concluded(&mut self, run: &Run, result: &Result<(), Ended>) {
        for reply in self.concluding.remove(run).unwrap_or_default() {
            let _ = reply.send(result.clone());
        }
    }
}
