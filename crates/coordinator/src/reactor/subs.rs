//! Events of subscriptions. Only final results are pushed, each until it is acknowledged.

use std::collections::{BTreeMap, HashSet};

use provost_proto::worker::server_sub_message::Message;
use provost_proto::worker::{
    ServerSubHeartbeat, ServerSubMessage, TaskResult, TaskStatus, UnknownTask,
};

use super::Reactor;
use crate::core::Sub;
use crate::ids::{ConnId, ProofId, SubId, TaskId};
use crate::refusal::Refusal;

impl Reactor<'_> {
    /// Whether a subscription may be opened, before its stream is.
    pub(crate) fn check_sub(&self, id: &SubId, proof: &ProofId) -> Result<(), Refusal> {
        self.live_proof(proof)?;
        match self.core.sub(id) {
            Some(sub) if sub.proof != *proof => Err(Refusal::IdTaken(id.to_string())),
            _ => Ok(()),
        }
    }

    /// A client opens a subscription, or comes back to one: what it has not acknowledged is sent again.
    pub(crate) fn sub_opened(
        &mut self,
        id: &SubId,
        proof: &ProofId,
        tasks: &[TaskId],
        conn: ConnId,
    ) -> Result<(), Refusal> {
        self.check_sub(id, proof)?;
        match self.core.sub_mut(id) {
            Some(sub) => {
                sub.conn = Some(conn);
                self.resend(id, 0);
            }
            None => self.core.add_sub(
                id,
                Sub {
                    proof: proof.clone(),
                    conn: Some(conn),
                    broken_at: self.now,
                    last_beat: self.now,
                    waiting: HashSet::new(),
                    unacked: BTreeMap::new(),
                    in_flight: HashSet::new(),
                    last: 0,
                },
            ),
        }
        for task in tasks {
            self.watch(id, task);
        }
        Ok(())
    }

    /// A client waits for more tasks, or asks again after some.
    pub(crate) fn sub_updated(&mut self, id: &SubId, tasks: &[TaskId]) -> Result<(), Refusal> {
        if self.core.sub(id).is_none() {
            return Err(Refusal::UnknownSub(id.clone()));
        }
        for task in tasks {
            self.watch(id, task);
        }
        Ok(())
    }

    /// A client has a message.
    pub(crate) fn sub_acked(&mut self, id: &SubId, message: &str) -> Result<(), Refusal> {
        let Some(sub) = self.core.sub_mut(id) else {
            return Err(Refusal::UnknownSub(id.clone()));
        };
        let acked = message.parse().ok().and_then(|n| sub.unacked.remove(&n));
        if let Some(acked) = acked {
            sub.in_flight.remove(&acked.task);
        }
        Ok(())
    }

    /// A subscription's stream broke. It may come back.
    pub(crate) fn sub_broken(&mut self, id: &SubId, conn: ConnId) {
        let now = self.now;
        if let Some(sub) = self.core.sub_mut(id)
            && sub.conn == Some(conn)
        {
            sub.conn = None;
            sub.broken_at = now;
        }
    }

    fn watch(&mut self, id: &SubId, task: &TaskId) {
        let Some(sub) = self.core.sub(id) else {
            return;
        };
        let Some(proof) = self.core.proof(&sub.proof) else {
            return;
        };
        if sub.in_flight.contains(task) {
            // It is on its way already.
            return;
        }
        match self.core.task(task).filter(|t| t.proof == sub.proof) {
            Some(found) if found.phase().is_final() => {
                let status = found.phase().status();
                self.push_result(id, task, status);
            }
            Some(_) => {
                self.core.wait_for(id, task);
            }
            // Whoever waits for a task of an earlier run is about to be stopped: to say "unknown" would make it fail the proof first.
            None if proof.dropped.contains(task) => {}
            None => {
                let proof_id = sub.proof.to_string();
                let task_id = task.to_string();
                let message = Message::UnknownTask(UnknownTask { proof_id, task_id });
                self.push(id, message);
            }
        }
    }

    /// A task is final: tells everyone who waits for it.
    pub(super) fn notify(&mut self, task: &TaskId, status: TaskStatus) {
        for sub in self.core.take_waiting(task) {
            self.push_result(&sub, task, status);
        }
        self.tell_takers(task);
    }

    fn push_result(&mut self, id: &SubId, task: &TaskId, status: TaskStatus) {
        let message = Message::TaskResult(TaskResult {
            task_id: task.to_string(),
            task_status: status.into(),
        });
        if let Some(number) = self.push(id, message.clone()) {
            let sent_at = self.now;
            let task = task.clone();
            if let Some(sub) = self.core.sub_mut(id) {
                let unacked = crate::core::Unacked {
                    task,
                    message,
                    sent_at,
                };
                sub.in_flight.insert(unacked.task.clone());
                sub.unacked.insert(number, unacked);
            }
        }
    }

    fn push(&mut self, id: &SubId, message: Message) -> Option<u64> {
        let sub = self.core.sub_mut(id)?;
        sub.last += 1;
        let number = sub.last;
        self.send_sub(id, number, message);
        Some(number)
    }

    fn send_sub(&mut self, id: &SubId, number: u64, message: Message) {
        let message = ServerSubMessage {
            msg_id: number.to_string(),
            message: Some(message),
        };
        self.out.push(id, message);
    }

    /// Sends again what waits for its acknowledgement for `age` or longer.
    pub(super) fn resend(&mut self, id: &SubId, age: i64) {
        let now = self.now;
        let Some(sub) = self.core.sub_mut(id) else {
            return;
        };
        if sub.conn.is_none() {
            return;
        }
        let mut again = Vec::new();
        for (number, unacked) in &mut sub.unacked {
            if now - unacked.sent_at >= age {
                unacked.sent_at = now;
                again.push((*number, unacked.message.clone()));
            }
        }
        for (number, message) in again {
            self.send_sub(id, number, message);
        }
    }

    /// Shows a client that the server lives and knows its subscription.
    pub(super) fn beat_sub(&mut self, id: &SubId) {
        self.push(id, Message::ServerHeartbeat(ServerSubHeartbeat {}));
    }

    /// Ends all subscriptions of a proof, after what was pushed.
    pub(super) fn close_subs(&mut self, proof: &ProofId) {
        let Some(proof) = self.core.proof(proof) else {
            return;
        };
        let ids: Vec<_> = proof.subs.iter().cloned().collect();
        for id in ids {
            self.core.remove_sub(&id);
            self.out.close_sub(&id);
        }
    }
}
