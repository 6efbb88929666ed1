//! Provost's coordinator: hands out the tasks of proofs to workers, and sees every proof to its end. It knows nothing of Kubernetes.
//!
//! * The *core* is the whole state, and keeps its own books consistent.
//! * The *reactor* has one function for each event: state and event in, commands out. No I/O, no clock, no randomness.
//! * The *scheduler*, a crate of its own, decides which waiting task goes to which worker next, and what becomes of one that failed.
//! * *Comm* carries commands out: into streams' queues and to the [`State`], without waiting.
//! * The *doors* turn workers' calls and streams into events: the native door is Provost's own, the unary one SP1's.
//! * A *term* is the time in which this replica leads. Before and after it knows only who is joined.
//!
//! One lock guards core and comm. It is held for the microseconds of one event and never over a wait, so commands leave in the order of events. Whoever reads
//! them is woken after it is free.

mod attempts;
mod clock;
mod comm;
mod config;
mod coordinator;
mod core;
pub mod doors;
mod events;
mod explain;
mod failure;
mod ids;
mod output;
mod proof_spec;
mod queue;
mod reactor;
mod refusal;
mod shards;
mod shared;
#[cfg(test)]
mod sim;
mod state;
mod storing;
mod tables;
mod term;
mod word;

/// Milliseconds since the Unix epoch, by a clock that never goes back.
pub type Millis = i64;

pub use attempts::{Attempts, AttemptsByType};
pub use clock::Clock;
pub use config::{Config, Doors, RetryPolicy, Timeouts, Weights};
pub use coordinator::Coordinator;
pub use events::{ClassStats, Device, Recall, Stats, WorkerEvent, WorkerView};
pub use explain::{Explanation, Wait, WaitReason};
pub use failure::{Failure, FailureClass, Loss, UnknownClass, task_name, task_type};
pub use ids::{ConnId, ProofId, SubId, TaskId, WorkerId};
pub use proof_spec::{ProofSpec, Root};
pub use provost_scheduler::TaskKind;
pub use refusal::Refusal;
pub use shards::{GpuPools, ShardSize};
pub use state::{
    Begun, Counts, MemoryState, ProofOutcome, ProofProgress, ProofResult, RunStart, State,
    StateError, TaskChange, TaskChangeKind,
};
pub use term::{RecoveredProof, Term, TermEvent};
