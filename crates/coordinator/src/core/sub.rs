//! Subscriptions to the results of tasks.

use std::collections::{BTreeMap, HashSet};

use provost_proto::worker::server_sub_message::Message;

use super::{Core, in_order};
use crate::Millis;
use crate::ids::{ConnId, ProofId, SubId, TaskId};

/// One subscription. It outlives its stream for a while, so that a client may come back.
pub(crate) struct Sub {
    pub(crate) proof: ProofId,
    pub(crate) conn: Option<ConnId>,
    /// When its stream broke, if it has none.
    pub(crate) broken_at: Millis,
    pub(crate) last_beat: Millis,
    /// Tasks that it waits for.
    pub(crate) waiting: HashSet<TaskId>,
    /// Results that were sent and not acknowledged, by message number.
    pub(crate) unacked: BTreeMap<u64, Unacked>,
    /// The tasks among them.
    pub(crate) in_flight: HashSet<TaskId>,
    /// Number of the last message.
    pub(crate) last: u64,
}

/// A result on its way.
#[derive(Clone)]
pub(crate) struct Unacked {
    pub(crate) task: TaskId,
    pub(crate) message: Message,
    pub(crate) sent_at: Millis,
}

impl Core {
    pub(crate) fn sub(&self, id: &str) -> Option<&Sub> {
        self.subs.get(id)
    }

    pub(crate) fn sub_mut(&mut self, id: &str) -> Option<&mut Sub> {
        self.subs.get_mut(id)
    }

    /// Adds a subscription to a proof that is there.
    pub(crate) fn add_sub(&mut self, id: &SubId, sub: Sub) {
        if let Some(proof) = self.proofs.get_mut(&sub.proof) {
            proof.subs.insert(id.clone());
            self.subs.insert(id.clone(), sub);
        }
    }

    /// Notes that a subscription waits for a task. False if the task is not there.
    pub(crate) fn wait_for(&mut self, id: &SubId, task: &str) -> bool {
        let (Some(sub), Some(task)) = (self.subs.get_mut(id), self.tasks.get_mut(task)) else {
            return false;
        };
        if sub.waiting.insert(task.id.clone()) {
            task.subs.push(id.clone());
        }
        true
    }

    /// The subscriptions that wait for a task, which then wait no more.
    pub(crate) fn take_waiting(&mut self, task: &TaskId) -> Vec<SubId> {
        let ids = self
            .tasks
            .get_mut(task)
            .map(|t| std::mem::take(&mut t.subs));
        let ids = ids.unwrap_or_default();
        for id in &ids {
            if let Some(sub) = self.subs.get_mut(id) {
                sub.waiting.remove(task);
            }
        }
        ids
    }

    pub(crate) fn remove_sub(&mut self, id: &SubId) -> Option<Sub> {
        let sub = self.subs.remove(id)?;
        for task in &sub.waiting {
            if let Some(task) = self.tasks.get_mut(task) {
                task.subs.retain(|other| other != id);
            }
        }
        if let Some(proof) = self.proofs.get_mut(&sub.proof) {
            proof.subs.remove(id);
        }
        Some(sub)
    }

    pub(crate) fn sub_ids(&self, wanted: impl Fn(&Sub) -> bool) -> Vec<SubId> {
        let wanted = self.subs.iter().filter(|(_, sub)| wanted(sub));
        in_order(wanted.map(|(id, _)| id.clone()))
    }
}
