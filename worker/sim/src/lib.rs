//! A worker that proves nothing. It speaks the real worker's protocol to the coordinator and to the artifact store, replays the task graphs of SP1's
//! Controller and CoreExecute with durations and sizes from a [`profile`], and fails in every way that it is told to ([`faults`]). One process can be
//! hundreds of workers. It serves tests of scale, of scheduling and of failures; nothing that it "proves" is a proof.
//!
//! * [`graph`]: the task graph, pure.
//! * `tasks`: the tasks of both roles, over
//! * `link`: all that is said to and heard from the coordinator, and
//! * `artifacts`: the store.
//! * [`Simulator`]: the simulated workers of a process.

mod artifacts;
mod body;
mod class;
pub mod cli;
mod failure;
pub mod faults;
mod fleet;
pub mod graph;
mod link;
pub mod profile;
mod random;
mod run;
mod simulator;
mod stats;
mod status;
mod tasks;

pub use class::{Capacity, Class};
pub use failure::FailureClass;
pub use simulator::{Settings, Simulator, StartError};
pub use stats::{Stats, Tally};
