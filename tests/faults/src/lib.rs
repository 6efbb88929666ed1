//! The fault suite's harness: one cluster per scenario out of real operator processes, a real API server, a real store and simulated workers,
//! with wires that can be bent.
//!
//! [`world::World`] is a cluster; [`kubelet`] stands in for the node; [`proxy`] is a wire; [`executions`] tells what was executed how often;
//! [`check`] is what has to hold in the end, [`promises`] what the design says about time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc
)]

pub mod address;
pub mod api;
pub mod check;
pub mod clock;
pub mod excuse;
pub mod executions;
pub mod http;
pub mod kubelet;
pub mod process;
pub mod promises;
pub mod proof;
pub mod proxy;
pub mod replica;
pub mod report;
pub mod scenario;
pub mod store;
pub mod terms;
pub mod wait;
pub mod worker;
pub mod world;
