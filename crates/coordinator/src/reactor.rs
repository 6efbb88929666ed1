//! The reactor: one function for each event. State and event go in, commands come out; there is no I/O and no clock, and names come from a source that
//! is passed in.

mod adopt;
mod assign;
mod attempts;
mod channels;
mod drain;
mod ending;
mod heartbeats;
mod limits;
mod links;
mod others;
mod proofs;
mod recall;
mod recovery;
mod subs;
mod tasks;
#[cfg(test)]
mod tests;
mod tick;
mod workers;

use crate::Millis;
use crate::core::{Core, Task};
use crate::ids::{IdSource, ProofId, TaskId, WorkerId};
use crate::output::{Order, Output};
use crate::state::{TaskChange, TaskChangeKind};

pub(crate) use links::Unreadable;
pub(crate) use proofs::{Acknowledge, ProofReport};
pub(crate) use tasks::{FailureReport, NewTask};
pub(crate) use workers::Opened;

/// The state together with what one event needs.
pub(crate) struct Reactor<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) out: &'a mut dyn Output,
    pub(crate) ids: &'a mut dyn IdSource,
    pub(crate) now: Millis,
}

impl Reactor<'_> {
    /// Something happened to a task. Markers are nobody's business.
    fn record(&mut self, task: &TaskId, kind: TaskChangeKind) {
        if let Some(task) = self.core.task(task) {
            let change = change(task, self.now, kind);
            self.record_change(change);
        }
    }

    fn record_change(&mut self, change: Option<TaskChange>) {
        if let Some(change) = change {
            self.out.record(change);
        }
    }

    /// Tells a worker to stop a task. The task keeps its room there until the worker's heartbeats leave it out.
    fn cancel_on(&mut self, worker: &WorkerId, proof: &ProofId, task: &TaskId) {
        if let Some(link) = self.core.worker(worker).and_then(|w| w.link) {
            self.tell_cancel(link, proof, task);
        } else {
            let (proof, task) = (proof.clone(), task.clone());
            self.out.send(worker, Order::Cancel { proof, task });
        }
        let now = self.now;
        self.core.update_worker(worker, |w| {
            if let Some(hold) = w.hold_mut(task) {
                hold.ended = Some(Some(now));
            }
        });
    }
}

fn change(task: &Task, at: Millis, kind: TaskChangeKind) -> Option<TaskChange> {
    use provost_proto::worker::TaskType::MarkerDeferredRecord;
    (task.kind != MarkerDeferredRecord).then(|| TaskChange {
        proof: task.proof.clone(),
        task: task.id.clone(),
        task_type: task.kind,
        at,
        kind,
    })
}
