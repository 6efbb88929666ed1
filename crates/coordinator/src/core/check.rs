//! What must hold between events. Tests call it after each one.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use provost_proto::worker::{TaskType, WorkerType};

use super::{Core, Phase, Worker};
use crate::proof_spec::Root;
use crate::state::Counts;

macro_rules! ensure {
    ($condition:expr, $($message:tt)*) => {
        if !$condition {
            return Err(format!($($message)*));
        }
    };
}

impl Core {
    /// Says what is inconsistent, if anything is.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.check_workers()?;
        self.check_queues()?;
        self.check_proofs()?;
        self.check_streams()?;
        self.check_links()
    }

    /// How much of proofs, tasks and channels there is.
    pub(crate) fn left_over(&self) -> usize {
        self.proofs.len()
            + self.tasks.len()
            + self.channels.len()
            + self.readers.len()
            + self.subs.len()
            + self.delayed.len()
            + self.queue.len()
    }

    fn check_workers(&self) -> Result<(), String> {
        for worker in self.workers.values() {
            let id = &worker.id;
            let weigh = |wanted: &dyn Fn(TaskType) -> bool| -> u64 {
                let holds = worker.holds().values().filter(|h| wanted(h.kind));
                holds.map(|h| u64::from(h.weight)).sum()
            };
            ensure!(worker.used() == weigh(&|_| true), "{id}: weight");
            let controllers = weigh(&|kind| kind == TaskType::Controller);
            let room = u64::from(worker.max_weight) - controllers;
            ensure!(worker.room() == room, "{id}: controllers");
            ensure!(
                worker.used() <= u64::from(worker.max_weight),
                "{id}: {} of {}",
                worker.used(),
                worker.max_weight
            );
            for (task, _) in worker.live() {
                let holder = self.task(task).and_then(|t| t.worker());
                ensure!(holder == Some(id), "{id} holds {task}, {holder:?} has it");
            }
            let listed = self.workers_of(id.pod()).contains(id);
            ensure!(listed, "{id}: not with its pod");
        }
        for task in self.tasks.values() {
            let Some(id) = task.worker() else { continue };
            let worker = self.worker(id).ok_or(format!("{}: no {id}", task.id))?;
            let live = worker.holds().get(&task.id).is_some_and(|h| h.is_live());
            ensure!(live, "{} is not held by {id}", task.id);
        }
        let pods: usize = self.pods.values().map(BTreeSet::len).sum();
        ensure!(pods == self.workers.len(), "pods");
        for class in [WorkerType::Cpu, WorkerType::Gpu] {
            let fleet: BTreeSet<_> = self.fleet.by_free(class).collect();
            let takes = |w: &&Worker| w.is_available() && super::serves(w.kind, class);
            let workers = self.workers.values().filter(takes);
            let expected: BTreeSet<_> = workers.map(|w| (w.free(), &w.id)).collect();
            ensure!(fleet == expected, "fleet {fleet:?}, not {expected:?}");
        }
        Ok(())
    }

    fn check_queues(&self) -> Result<(), String> {
        let queued: BTreeSet<_> = self.queue.ids().into_iter().collect();
        ensure!(queued.len() == self.queue.len(), "length of the queue");
        for (id, task) in &self.tasks {
            let waits = *task.phase() == Phase::Queued;
            ensure!(queued.contains(id) == waits, "{id} in the queue");
            if let Phase::Delayed(until) = task.phase() {
                let listed = self.delayed.contains(&(*until, id.clone()));
                ensure!(listed, "{id} not among the delayed");
            }
            ensure!(task.data.is_none() == task.phase().is_final(), "{id}: data");
        }
        let delayed = self.tasks.values();
        let delayed = delayed.filter(|t| matches!(t.phase(), Phase::Delayed(_)));
        ensure!(delayed.count() == self.delayed.len(), "delayed");
        for id in &queued {
            ensure!(self.tasks.contains_key(id), "{id} is in the queue only");
        }
        Ok(())
    }

    fn check_proofs(&self) -> Result<(), String> {
        for (id, proof) in &self.proofs {
            let tasks = self.tasks.values().filter(|t| t.proof == *id);
            let ids: BTreeSet<_> = tasks.clone().map(|t| t.id.clone()).collect();
            ensure!(ids == proof.tasks, "{id}: tasks");
            let mut counts: BTreeMap<TaskType, Counts> = BTreeMap::new();
            let mut capped = 0;
            for task in tasks {
                let slot = counts.entry(task.kind).or_default();
                match task.phase() {
                    Phase::Marker | Phase::Held(_) | Phase::Queued | Phase::Delayed(_) => {
                        slot.pending += 1;
                    }
                    Phase::Assigned(_) => slot.running += 1,
                    Phase::Succeeded => slot.succeeded += 1,
                    Phase::Failed => slot.failed += 1,
                }
                if task.worker().is_some() && task.shape.class == WorkerType::Gpu {
                    capped += 1;
                }
            }
            let known = proof.counts.iter().filter(|(_, c)| c.total() > 0);
            let known: BTreeMap<_, _> = known.map(|(k, c)| (*k, *c)).collect();
            ensure!(known == counts, "{id}: {known:?}, not {counts:?}");
            ensure!(proof.running_capped == capped, "{id}: parallelism");
            let limit = proof.spec.parallelism.unwrap_or(self.config.parallelism);
            ensure!(capped <= limit.max(1), "{id}: over its parallelism");
            if proof.ended.is_some() {
                ensure!(ids.is_empty(), "{id} has ended and has tasks");
                ensure!(proof.subs.is_empty(), "{id} has ended and has subs");
            } else if proof.spec.kind != Root::None {
                let root = proof.root.as_ref().and_then(|root| self.task(root));
                let live = root.is_some_and(|root| !root.phase().is_final());
                ensure!(live, "{id} goes on without a root");
            }
        }
        let orphan = self
            .tasks
            .values()
            .find(|t| !self.proofs.contains_key(&t.proof));
        ensure!(orphan.is_none(), "a task without a proof");
        Ok(())
    }

    fn check_streams(&self) -> Result<(), String> {
        for (id, sub) in &self.subs {
            let proof = self.proofs.get(&sub.proof);
            ensure!(proof.is_some_and(|p| p.subs.contains(id)), "{id}: proof");
            let sent: HashSet<_> = sub.unacked.values().map(|u| u.task.clone()).collect();
            ensure!(sent == sub.in_flight, "{id}: in flight");
            ensure!(sent.len() == sub.unacked.len(), "{id}: sent twice");
            for task in &sub.waiting {
                let task = self.task(task).ok_or(format!("{id}: {task} is gone"))?;
                ensure!(task.subs.contains(id), "{id}: not with {}", task.id);
                ensure!(!task.phase().is_final(), "{id}: waits for {}", task.id);
            }
        }
        for task in self.tasks.values() {
            for sub in &task.subs {
                let waits = self.sub(sub).is_some_and(|s| s.waiting.contains(&task.id));
                ensure!(waits, "{sub} does not wait for {}", task.id);
            }
        }
        for (task, channel) in &self.channels {
            ensure!(self.tasks.contains_key(task), "channel of {task}");
            for (reader, next) in &channel.readers {
                ensure!(self.readers.get(reader) == Some(task), "reader {reader}");
                let sent = channel.messages.len() as u64;
                ensure!(*next >= sent, "reader {reader} misses messages");
            }
            for (link, next) in &channel.listeners {
                let sent = channel.messages.len() as u64;
                ensure!(*next >= sent, "listener {link} misses messages");
            }
        }
        let readers: usize = self.channels.values().map(|c| c.readers.len()).sum();
        ensure!(readers == self.readers.len(), "readers");
        Ok(())
    }
}
