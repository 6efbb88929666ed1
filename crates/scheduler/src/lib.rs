//! Provost's scheduler: which waiting task goes to which worker next, and what becomes of a task that failed.
//!
//! A plain data structure. It does no I/O, has no clock and no randomness: both are arguments. So it is tested with millions of steps a second, and a simulator
//! drives the very code that a cluster runs.
//!
//! | folder | subject |
//! | --- | --- |
//! | [`Scheduler`] (`scheduler/`) | what is known, and the next decision: who is added, how a task goes from waiting to done, when a worker is kept for a large task |
//! | `order/` | which task goes first: priority, urgency, fair share, stage, age |
//! | `queue/` | the waiting tasks, so that the first of each shape is at hand |
//! | `share/` | who has how much |
//! | `fleet/` | the workers, and which of them a task goes to |
//! | [`retry`] | failure classes, budgets, back-off |
//! | [`explain`] | why a task waits, as data and as text |
//!
//! ```
//! use provost_scheduler::*;
//!
//! let mut scheduler = Scheduler::new(Settings::default());
//! let tenant = scheduler.add_tenant(1);
//! let proof = scheduler.add_proof(ProofSpec { tenant, priority: 0, deadline: None, parallelism: None })?;
//! let shard = TaskSpec::new(proof, Shape::new(Class::Gpu, 4), TaskKind::ProveShard.stage());
//! let task = scheduler.add_task(shard)?;
//! assert_eq!(scheduler.next(0), None);
//! let standing = scheduler.explain(task).map(|standing| standing.reason());
//! assert_eq!(standing, Some("NoWorker"));
//!
//! let worker = scheduler.add_worker(WorkerSpec {
//!     kind: WorkerKind::Gpu,
//!     capacity: 24,
//!     provers: None,
//!     pod: Pod::new(1),
//!     provides: Vec::new(),
//!     spot: false,
//! });
//! assert_eq!(scheduler.next(1), Some(Placement { task, worker }));
//! scheduler.complete(task)?;
//! # Ok::<(), Refused>(())
//! ```

mod arena;
mod error;
pub mod explain;
mod fleet;
mod heap;
mod keys;
mod kind;
mod order;
mod queue;
pub mod retry;
mod scheduler;
mod settings;
mod shape;
mod share;

/// Milliseconds, since whenever the caller likes.
pub type Millis = u64;

pub use error::Refused;
pub use fleet::{Pod, WorkerKind, WorkerSpec, WorkerView};
pub use keys::{HoldKey, ProofKey, TaskKey, TenantKey, WorkerKey};
pub use kind::TaskKind;
pub use order::Deadline;
pub use scheduler::{Placement, ProofSpec, Requeue, Room, Scheduler, TaskSpec};
pub use settings::Settings;
pub use shape::{Class, Requirement, Shape, Slot};
