//! The scheduler itself: what is known of tenants, proofs and tasks, and the next decision.
//!
//! Calls say what has happened; [`Scheduler::next`] decides. The order of calls is all that decisions depend on, besides the time that `next` is told.

mod dispatch;
mod moves;
mod proofs;
mod stuck;
mod tasks;
mod tenants;
mod verify;
mod workers;

use std::collections::BTreeSet;

pub use dispatch::Placement;
pub use proofs::ProofSpec;
pub use tasks::{Requeue, Room, TaskSpec};

use crate::Millis;
use crate::arena::Arena;
use crate::fleet::{Fleet, WorkerView};
use crate::keys::{ProofKey, TaskKey, TenantKey, WorkerKey};
use crate::queue::Queue;
use crate::settings::Settings;
use crate::shape::{Shape, ShapeId};
use proofs::Proof;
use stuck::{Round, Stuck};
pub(crate) use tasks::State;
use tasks::Task;
use tenants::Tenant;

/// Which waiting task runs where, next. See the [crate](crate).
#[derive(Default)]
pub struct Scheduler {
    pub(crate) settings: Settings,
    /// The latest time that was told.
    pub(crate) now: Millis,
    pub(crate) tenants: Arena<TenantKey, Tenant>,
    pub(crate) proofs: Arena<ProofKey, Proof>,
    pub(crate) tasks: Arena<TaskKey, Task>,
    pub(crate) fleet: Fleet,
    pub(crate) queue: Queue,
    /// Tasks that wait out a time.
    delayed: BTreeSet<(Millis, TaskKey)>,
    /// Proofs that become urgent, or cease to be, by themselves.
    timers: BTreeSet<(Millis, ProofKey)>,
    /// Proofs with lasting tasks that run.
    driven: BTreeSet<ProofKey>,
    /// What was tried in vain, by shape.
    pub(crate) stuck: Vec<Stuck>,
    /// What was tried in vain is tried again in the next round; by class.
    rounds: [Round; 2],
    /// Tasks so far: their age.
    seq: u64,
}

impl Scheduler {
    /// A scheduler that knows nobody yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// Its settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many tasks are in the queue: those of proofs that may run no more included, those that wait out a time not.
    pub const fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many tasks wait out a time.
    pub fn delayed(&self) -> usize {
        self.delayed.len()
    }

    /// How many tasks there are, wherever they are.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// The waiting tasks by what they ask for, proofs that may run no more included: what an autoscaler plans for.
    pub fn demand(&self) -> impl Iterator<Item = (&Shape, usize)> {
        let shapes = 0..u32::try_from(self.queue.shapes()).unwrap_or(u32::MAX);
        let demand = shapes.map(|id| (self.queue.shape(id), self.queue.len_of(id)));
        demand.filter(|(_, waiting)| *waiting > 0)
    }

    /// What there is to know of a worker.
    pub fn worker(&self, worker: WorkerKey) -> Option<WorkerView> {
        self.fleet.view(worker)
    }

    /// The same of all workers. O(workers).
    pub fn workers(&self) -> impl Iterator<Item = (WorkerKey, WorkerView)> {
        self.fleet.views()
    }

    /// When [`Scheduler::next`] should be called though nothing happens: a task's wait is over, a proof becomes urgent, or a large task has waited long enough.
    pub fn wake_at(&self) -> Option<Millis> {
        let delayed = self.delayed.first().map(|(at, _)| *at);
        let timer = self.timers.first().map(|(at, _)| *at);
        let patience = self.next_patience();
        [delayed, timer, patience].into_iter().flatten().min()
    }

    fn shape_id(&mut self, shape: Shape) -> ShapeId {
        let known = self.queue.shapes();
        let id = self.queue.shape_id(shape);
        if id as usize == known {
            self.fleet.learn(&shape);
            self.stuck.push(Stuck::default());
        }
        id
    }
}
