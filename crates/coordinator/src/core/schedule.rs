//! The scheduler, and the names of what it knows by number.

use std::collections::{BTreeSet, HashMap};

use provost_scheduler::{
    Deadline, HoldKey, Placement, Pod, ProofKey, ProofSpec as Spec, Room, Scheduler, Settings,
    Shape, TaskKey, TaskSpec, TenantKey, WorkerKey, WorkerSpec,
};

use super::kinds::{FULL_SHARDS, ticks, worker_kind};
use super::names::Names;
use super::worker::Worker;
use crate::Millis;
use crate::ids::{TaskId, WorkerId};
use crate::proof_spec::ProofSpec;
use crate::shards::ShardSize;

/// Which task runs where, next, in the scheduler's terms and in ours.
pub(crate) struct Schedule {
    pub(super) scheduler: Scheduler,
    tasks: Names<TaskId>,
    workers: Names<WorkerId>,
    tenants: HashMap<String, Tenant>,
    /// Requesters without a proof that may still have room on workers.
    idle: BTreeSet<String>,
    /// The proof of what workers run and nobody asked for, as far as the scheduler goes.
    strangers: Option<ProofKey>,
    /// The last number that was given to a pod.
    last_pod: u64,
}

/// A requester.
struct Tenant {
    key: TenantKey,
    proofs: usize,
}

fn deadline(at: Millis, remaining: Millis) -> Deadline {
    Deadline {
        at: ticks(at),
        remaining: ticks(remaining),
    }
}

impl Schedule {
    pub(super) fn new() -> Self {
        let mut scheduler = Scheduler::new(Settings::default());
        let tenant = scheduler.add_tenant(1);
        let strangers = scheduler.add_proof(Spec {
            tenant,
            priority: 0,
            deadline: None,
            parallelism: None,
        });
        Self {
            scheduler,
            tasks: Names::default(),
            workers: Names::default(),
            tenants: HashMap::new(),
            idle: BTreeSet::new(),
            strangers: strangers.ok(),
            last_pod: 0,
        }
    }

    /// Whose a proof is decides its share. Whoever asks for the first one is a tenant from then on.
    pub(super) fn add_proof(&mut self, spec: &ProofSpec) -> Option<ProofKey> {
        let scheduler = &mut self.scheduler;
        let tenant = self.tenants.entry(spec.requester.clone());
        let tenant = tenant.or_insert_with(|| Tenant {
            key: scheduler.add_tenant(1),
            proofs: 0,
        });
        let added = scheduler.add_proof(Spec {
            tenant: tenant.key,
            priority: spec.priority,
            // How long it takes is reckoned as it goes on: see deadlines.rs.
            deadline: spec.due().map(|at| deadline(at, 0)),
            parallelism: spec.parallelism,
        });
        match added {
            Ok(key) => {
                tenant.proofs += 1;
                Some(key)
            }
            Err(refused) => {
                tracing::error!(proof = %spec.proof_id, %refused, "proof not scheduled");
                None
            }
        }
    }

    /// Says when a proof has to be there, and how long the rest of it takes.
    pub(super) fn set_deadline(&mut self, key: ProofKey, due: Option<Millis>, remaining: Millis) {
        let due = due.map(|at| deadline(at, remaining));
        if let Err(refused) = self.scheduler.set_deadline(key, due) {
            tracing::error!(?key, %refused, "deadline not scheduled");
        }
    }

    pub(super) fn remove_proof(&mut self, key: ProofKey, requester: &str) {
        if let Err(refused) = self.scheduler.remove_proof(key) {
            tracing::error!(requester, %refused, "proof stays in the schedule");
            return;
        }
        if let Some(tenant) = self.tenants.get_mut(requester) {
            tenant.proofs -= 1;
            if tenant.proofs == 0 {
                self.idle.insert(requester.to_owned());
            }
        }
        self.remove_tenants();
    }

    /// Forgets requesters that have neither proofs nor room on workers.
    fn remove_tenants(&mut self) {
        self.idle.retain(|requester| {
            let Some(tenant) = self.tenants.get(requester) else {
                return false;
            };
            if tenant.proofs > 0 {
                return false;
            }
            let gone = self.scheduler.remove_tenant(tenant.key).is_ok();
            if gone {
                self.tenants.remove(requester);
            }
            !gone
        });
    }

    pub(super) fn add_worker(&mut self, worker: &Worker, pod: Pod) -> WorkerKey {
        let key = self.scheduler.add_worker(WorkerSpec {
            kind: worker_kind(worker.kind),
            capacity: worker.max_weight,
            provers: worker.provers,
            pod,
            provides: match worker.shards {
                ShardSize::Full => vec![FULL_SHARDS],
                ShardSize::Reduced => Vec::new(),
            },
            spot: worker.spot,
        });
        self.workers.set(key.index(), worker.id.clone());
        key
    }

    pub(super) fn remove_worker(&mut self, key: WorkerKey) {
        if self.scheduler.remove_worker(key).is_ok() {
            self.workers.clear(key.index());
            self.remove_tenants();
        }
    }

    /// Says whether a worker takes tasks.
    pub(super) fn open(&mut self, key: WorkerKey, open: bool) {
        let known = match open {
            true => self.scheduler.open_worker(key),
            false => self.scheduler.close_worker(key),
        };
        if let Err(refused) = known {
            tracing::error!(?key, %refused, "worker not scheduled");
        }
    }

    /// Says how much a worker's tasks may take up, in GiB, and how many of them it proves at once.
    pub(super) fn resize(&mut self, key: WorkerKey, capacity: u32, provers: Option<u32>) {
        let sized = self.scheduler.set_capacity(key, capacity);
        if let Err(refused) = sized.and_then(|()| self.scheduler.set_provers(key, provers)) {
            tracing::error!(?key, %refused, "worker not scheduled");
        }
    }

    /// Says more of a worker's pod.
    pub(super) fn set_pod(&mut self, key: WorkerKey, pod: Pod) {
        if let Err(refused) = self.scheduler.set_pod(key, pod) {
            tracing::error!(?key, %refused, "worker not scheduled");
        }
    }

    pub(super) const fn number_pod(&mut self) -> Pod {
        self.last_pod += 1;
        Pod::new(self.last_pod)
    }

    pub(super) fn add_task(&mut self, id: &TaskId, spec: TaskSpec) -> Option<TaskKey> {
        let added = self.scheduler.add_task(spec);
        self.named(id, added)
    }

    /// A worker has a task that was not known.
    pub(super) fn adopt(
        &mut self,
        id: &TaskId,
        spec: TaskSpec,
        worker: WorkerKey,
    ) -> Option<TaskKey> {
        let adopted = self.scheduler.adopt(spec, worker);
        self.named(id, adopted)
    }

    fn named<E: std::fmt::Display>(
        &mut self,
        id: &TaskId,
        added: Result<TaskKey, E>,
    ) -> Option<TaskKey> {
        match added {
            Ok(key) => {
                self.tasks.set(key.index(), id.clone());
                Some(key)
            }
            Err(refused) => {
                tracing::error!(task = %id, %refused, "task not scheduled");
                None
            }
        }
    }

    pub(super) fn remove_task(&mut self, key: TaskKey, room: Room) -> Option<HoldKey> {
        self.tasks.clear(key.index());
        self.scheduler.remove_task(key, room).ok().flatten()
    }

    /// Takes up room on a worker for what is no task of ours, until that is released.
    pub(super) fn occupy(&mut self, shape: Shape, worker: WorkerKey) -> Option<HoldKey> {
        let spec = TaskSpec::new(self.strangers?, shape, 0);
        let task = self.scheduler.adopt(spec, worker).ok()?;
        self.scheduler.remove_task(task, Room::Kept).ok().flatten()
    }

    pub(super) fn release(&mut self, hold: HoldKey) {
        // It may be gone with its worker.
        let _ = self.scheduler.release(hold);
        self.remove_tenants();
    }

    pub(super) fn next(&mut self, now: Millis) -> Option<(TaskId, WorkerId)> {
        while let Some(Placement { task, worker }) = self.scheduler.next(ticks(now)) {
            let names = (
                self.tasks.get(task.index()),
                self.workers.get(worker.index()),
            );
            if let (Some(task), Some(worker)) = names {
                return Some((task.clone(), worker.clone()));
            }
            tracing::error!(?task, ?worker, "what was placed has no name");
        }
        None
    }

    #[cfg(test)]
    pub(super) fn named_tasks(&self) -> usize {
        self.tasks.len()
    }

    #[cfg(test)]
    pub(super) fn tenants(&self) -> usize {
        self.tenants.len()
    }
}
