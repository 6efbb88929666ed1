//! Short ways to set up a scheduler.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses some of it"
)]

use provost_scheduler::{
    Class, Pod, ProofKey, ProofSpec, Scheduler, Settings, Shape, TaskKey, TaskSpec, TenantKey,
    WorkerKey, WorkerKind, WorkerSpec,
};

pub(crate) const GPU_4: Shape = Shape::new(Class::Gpu, 4);
pub(crate) const GPU_3: Shape = Shape::new(Class::Gpu, 3);

pub(crate) fn scheduler() -> Scheduler {
    Scheduler::new(Settings::default())
}

pub(crate) fn proof_of(scheduler: &mut Scheduler, tenant: TenantKey) -> ProofKey {
    let spec = ProofSpec {
        tenant,
        priority: 0,
        deadline: None,
        parallelism: Some(u32::MAX),
    };
    scheduler.add_proof(spec).unwrap()
}

/// A proof of a tenant of its own.
pub(crate) fn proof(scheduler: &mut Scheduler) -> ProofKey {
    let tenant = scheduler.add_tenant(1);
    proof_of(scheduler, tenant)
}

pub(crate) fn task(scheduler: &mut Scheduler, proof: ProofKey, shape: Shape) -> TaskKey {
    scheduler.add_task(TaskSpec::new(proof, shape, 0)).unwrap()
}

pub(crate) fn worker(
    scheduler: &mut Scheduler,
    kind: WorkerKind,
    capacity: u32,
    pod: u64,
) -> WorkerKey {
    scheduler.add_worker(WorkerSpec {
        kind,
        capacity,
        provers: None,
        pod: Pod::new(pod),
        provides: Vec::new(),
        spot: false,
    })
}

/// Decisions until there is none.
pub(crate) fn decide(scheduler: &mut Scheduler, now: u64) -> Vec<(TaskKey, WorkerKey)> {
    std::iter::from_fn(|| scheduler.next(now))
        .map(|placed| (placed.task, placed.worker))
        .collect()
}

/// A small generator, for tests that want the same every time.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
