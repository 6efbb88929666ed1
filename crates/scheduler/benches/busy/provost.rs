//! Provost's scheduler, asked as the coordinator asks it.

use std::collections::HashMap;

use provost_scheduler::{
    Pod, ProofKey, ProofSpec, Scheduler, Settings, Shape, Slot, TaskKey, TaskKind, TaskSpec,
    TenantKey, WorkerKey, WorkerKind, WorkerSpec,
};

use crate::task::{
    Class, Millis, Policy, Proof, ProofId, Task, TaskId, Worker, WorkerId, class, weight,
};

pub(crate) struct Provost {
    name: &'static str,
    provers: Option<u32>,
    scheduler: Scheduler,
    tenants: HashMap<usize, TenantKey>,
    /// With the room that its Controller's children need.
    proofs: HashMap<ProofId, (ProofKey, u32)>,
    tasks: HashMap<TaskId, TaskKey>,
    ids: HashMap<TaskKey, TaskId>,
    workers: HashMap<WorkerKey, WorkerId>,
}

impl Provost {
    /// On provers that say that they run one task at a time, as ours do.
    pub(crate) fn new() -> Self {
        Self::with("Provost", Some(1))
    }

    /// On provers that do not say: they get what they have memory for, as with the yardstick.
    pub(crate) fn by_memory() -> Self {
        Self::with("Provost, by memory alone", None)
    }

    fn with(name: &'static str, provers: Option<u32>) -> Self {
        Self {
            name,
            provers,
            scheduler: Scheduler::new(Settings::default()),
            tenants: HashMap::new(),
            proofs: HashMap::new(),
            tasks: HashMap::new(),
            ids: HashMap::new(),
            workers: HashMap::new(),
        }
    }
}

fn shape(kind: TaskKind, reserve: u32) -> Shape {
    let shape = Shape::new(class(kind), weight(kind));
    match kind {
        TaskKind::Controller => shape.with_reserve(reserve),
        TaskKind::PlonkWrap => shape.with_slot(Slot::new(0)),
        _ => shape,
    }
}

impl Policy for Provost {
    fn name(&self) -> &'static str {
        self.name
    }

    fn worker_comes(&mut self, worker: &Worker) {
        let key = self.scheduler.add_worker(WorkerSpec {
            kind: match worker.class {
                Class::Cpu => WorkerKind::Cpu,
                Class::Gpu => WorkerKind::Gpu,
            },
            capacity: worker.capacity,
            provers: self.provers,
            pod: Pod::new(worker.id.into()),
            provides: Vec::new(),
            spot: false,
        });
        self.workers.insert(key, worker.id);
    }

    fn proof_begins(&mut self, proof: &Proof) {
        let scheduler = &mut self.scheduler;
        let tenant = self.tenants.entry(proof.tenant);
        let spec = ProofSpec {
            tenant: *tenant.or_insert_with(|| scheduler.add_tenant(1)),
            priority: 0,
            deadline: None,
            parallelism: None,
        };
        let key = scheduler.add_proof(spec).unwrap();
        self.proofs.insert(proof.id, (key, proof.reserve));
    }

    fn proof_ends(&mut self, proof: ProofId) {
        let (key, _) = self.proofs.remove(&proof).unwrap();
        self.scheduler.remove_proof(key).unwrap();
    }

    fn task_waits(&mut self, task: &Task) {
        let (proof, reserve) = self.proofs[&task.proof];
        let spec = TaskSpec::new(proof, shape(task.kind, reserve), task.kind.stage());
        let key = self.scheduler.add_task(spec).unwrap();
        self.tasks.insert(task.id, key);
        self.ids.insert(key, task.id);
    }

    fn task_ends(&mut self, task: &Task, _: WorkerId, _: Millis) {
        let key = self.tasks.remove(&task.id).unwrap();
        self.ids.remove(&key);
        self.scheduler.complete(key).unwrap();
    }

    fn place(&mut self, now: Millis, placed: &mut Vec<(TaskId, WorkerId)>) {
        while let Some(placement) = self.scheduler.next(now) {
            let (task, worker) = (self.ids[&placement.task], self.workers[&placement.worker]);
            placed.push((task, worker));
        }
    }

    fn wake_at(&self) -> Option<Millis> {
        self.scheduler.wake_at()
    }
}
