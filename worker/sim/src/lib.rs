//! A worker that proves nothing. It speaks the real worker's protocol to the coordinator and to the artifact store, replays the task graphs of SP1's
//! Controller and CoreExecute with durations and sizes from a [`profile`], and fails in every way that it is told to ([`faults`]). One process can be
//! hundreds of workers. It serves tests of scale, of scheduling and of failures; nothing that it "proves" is a proof.
//!
//! * [`graph`]: the task graph, pure.
//! * `tasks`: the tasks of both roles, over
//! * `coordinator`: all that tasks say to and hear from the coordinator, by the native door,
//! * `wire`: the connections below it, which can be held up and cut, and
//! * `artifacts`: the store.
//! * [`journal`]: what was executed, for tests to count.
//! * [`Simulator`]: the simulated workers of a process.

mod artifacts;
mod body;
mod class;
pub mod cli;
mod coordinator;
mod failure;
pub mod faults;
mod fleet;
pub mod graph;
pub mod journal;
mod local;
pub mod profile;
mod random;
mod run;
mod simulator;
mod stats;
mod status;
mod tasks;
mod wire;
mod worker;

pub use class::{Capacity, Class, Units};
pub use provost_link::Timing;
pub use provost_scheduler::retry::FailureClass;
pub use simulator::{Settings, Simulator, StartError};
pub use stats::{Stats, Tally};
