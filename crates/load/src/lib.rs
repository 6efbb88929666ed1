//! Load for benchmarks: tasks that are created at a given rate whatever the server does, and the time until each is with a worker.
//!
//! | module | subject |
//! | --- | --- |
//! | [`pace`] | when tasks are due |
//! | [`fleet`] | simulated workers and the driver that creates tasks, by the unary or the native door |
//! | [`offer`] | one measurement: a fleet, a rate, a time; or as much as the server can take |
//! | [`floor`] | a server of the unary contract that keeps no state: what the transport alone takes |
//! | [`process`] | the server as a process of its own, with the CPU and memory that it takes |
//! | [`report`] | medians over rounds, as a table and as JSON |
//!
//! A task's delay counts from the time at which it was due, not from when it was sent: a server that stalls the generator pays for all tasks that were due meanwhile.

pub mod fleet;
pub mod floor;
pub mod offer;
pub mod pace;
pub mod process;
pub mod report;
pub mod stamp;

pub use fleet::{Door, Fleet, FleetSpec};
pub use offer::{Offer, Sample, Saturation, offer, saturate};
pub use process::{Process, Usage};
