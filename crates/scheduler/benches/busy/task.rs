//! Tasks of the simulation, and what both policies know of their types.

pub(crate) use provost_scheduler::Class;
use provost_scheduler::TaskKind;

pub(crate) type Millis = u64;
pub(crate) type TaskId = u32;
pub(crate) type ProofId = u32;
pub(crate) type WorkerId = u32;

/// A task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) proof: ProofId,
    pub(crate) kind: TaskKind,
    pub(crate) created_at: Millis,
    /// How long it takes; a Controller lasts until its proof is done.
    pub(crate) time: Millis,
}

/// A proof, as a policy is told of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof {
    pub(crate) id: ProofId,
    pub(crate) tenant: usize,
    pub(crate) created_at: Millis,
    /// Memory that its largest task besides the Controller needs on an executor.
    pub(crate) reserve: u32,
}

/// A worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) class: Class,
    /// Memory for tasks, in GB.
    pub(crate) capacity: u32,
}

/// Memory that a task takes, in GB: the same table for both policies.
pub(crate) const fn weight(kind: TaskKind) -> u32 {
    match kind {
        TaskKind::Controller | TaskKind::SetupVkey => 1,
        TaskKind::CoreExecute => 8,
        TaskKind::RecursionDeferred | TaskKind::RecursionReduce => 3,
        TaskKind::PlonkWrap => 60,
        TaskKind::Groth16Wrap => 14,
        _ => 4,
    }
}

pub(crate) const fn class(kind: TaskKind) -> Class {
    match kind {
        TaskKind::Controller
        | TaskKind::CoreExecute
        | TaskKind::ExecuteOnly
        | TaskKind::PlonkWrap
        | TaskKind::Groth16Wrap => Class::Cpu,
        _ => Class::Gpu,
    }
}

/// Who decides which task runs where.
pub(crate) trait Policy {
    fn name(&self) -> &'static str;
    fn worker_comes(&mut self, worker: &Worker);
    fn proof_begins(&mut self, proof: &Proof);
    fn proof_ends(&mut self, proof: ProofId);
    fn task_waits(&mut self, task: &Task);
    fn task_ends(&mut self, task: &Task, worker: WorkerId, now: Millis);
    /// All decisions that are due.
    fn place(&mut self, now: Millis, placed: &mut Vec<(TaskId, WorkerId)>);
    /// When to ask again though nothing happens.
    fn wake_at(&self) -> Option<Millis>;
}
