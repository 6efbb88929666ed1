//! What must hold between events. Tests call it after each one.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use provost_proto::class_of;
use provost_proto::worker::{TaskType, WorkerType};

use super::{Core, Phase};
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
        self.check_schedule()?;
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
            + self.schedule.scheduler.tasks()
            + self.schedule.named_tasks()
            + self.schedule.tenants()
    }

    fn check_workers(&self) -> Result<(), String> {
        for worker in self.workers.values() {
            let id = &worker.id;
            let known = worker
                .key
                .and_then(|key| self.schedule.scheduler.worker(key));
            let known = known.ok_or(format!("{id}: not in the schedule"))?;
            ensure!(worker.used() == known.used, "{id}: weight");
            ensure!(worker.holds().len() == known.holds, "{id}: holds");
            ensure!(worker.max_weight == known.capacity, "{id}: capacity");
            ensure!(worker.provers == known.provers, "{id}: provers");
            ensure!(worker.takes_tasks() == known.open, "{id}: open");
            for (task, hold) in worker.holds() {
                ensure!(
                    hold.is_live() == hold.room.is_none(),
                    "{id}: room of {task}"
                );
            }
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
        let pods: usize = self.pods.values().map(|pod| pod.workers.len()).sum();
        ensure!(pods == self.workers.len(), "pods");
        Ok(())
    }

    fn check_schedule(&self) -> Result<(), String> {
        let scheduler = &self.schedule.scheduler;
        scheduler.verify()?;
        let mut scheduled = 0;
        for (id, task) in &self.tasks {
            let phase = task.phase();
            let waits = matches!(phase, Phase::Queued | Phase::Delayed(_));
            let runs = matches!(phase, Phase::Assigned(_));
            ensure!(
                task.key.is_some() == (waits || runs),
                "{id}: in the schedule"
            );
            if let Some(key) = task.key {
                scheduled += 1;
                let worker = task.worker().and_then(|worker| self.worker(worker)?.key);
                ensure!(scheduler.worker_of(key) == worker, "{id}: worker");
            }
            ensure!(task.data.is_none() == phase.is_final(), "{id}: data");
        }
        ensure!(scheduler.tasks() == scheduled, "tasks in the schedule");
        ensure!(self.schedule.named_tasks() == scheduled, "names of tasks");
        let tenants: BTreeSet<_> = self.proofs.values().map(|p| &p.spec.requester).collect();
        ensure!(self.schedule.tenants() >= tenants.len(), "tenants");
        Ok(())
    }

    fn check_proofs(&self) -> Result<(), String> {
        for (id, proof) in &self.proofs {
            let tasks = self.tasks.values().filter(|t| t.proof == *id);
            let ids: BTreeSet<_> = tasks.clone().map(|t| t.id.clone()).collect();
            let listed: BTreeSet<_> = proof.tasks.all().cloned().collect();
            ensure!(ids == listed, "{id}: tasks");
            ensure!(proof.tasks.all().count() == ids.len(), "{id}: tasks twice");
            let open = tasks.clone().filter(|task| !task.phase().is_final());
            let open: BTreeSet<_> = open.map(|task| task.id.clone()).collect();
            let listed: BTreeSet<_> = proof.tasks.open().cloned().collect();
            ensure!(open == listed, "{id}: open tasks");
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
                if task.worker().is_some() && class_of(task.kind) == WorkerType::Gpu {
                    capped += 1;
                }
            }
            let known = proof.counts.iter().filter(|(_, c)| c.total() > 0);
            let known: BTreeMap<_, _> = known.map(|(k, c)| (*k, *c)).collect();
            ensure!(known == counts, "{id}: {known:?}, not {counts:?}");
            let limit = proof
                .spec
                .parallelism
                .map_or(u32::MAX, |limit| limit.max(1));
            ensure!(capped <= limit, "{id}: over its parallelism");
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
