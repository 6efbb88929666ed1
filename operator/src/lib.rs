//! The Provost operator as a library: the binary starts it, and the tests run it in their own process.
//!
//! A proof's way through the code: [`controllers::proof_request`] takes a ProofRequest to the coordinator, [`state`] writes what becomes
//! of it, [`http`] moves the bytes in and out. Workers come from [`controllers::worker_pool`]; [`pods`] watches how they fare.

pub mod api;
pub mod cached;
pub mod cli;
pub mod controllers;
pub mod elf;
pub mod elsewhere;
pub mod http;
pub mod inputs;
pub mod key;
pub mod leadership;
pub mod metrics;
pub mod operator;
pub mod owner;
pub mod pods;
pub mod run;
pub mod secrets;
pub mod served;
pub mod state;
pub mod store;
pub mod supervisor;
pub mod sweeper;
pub mod task_settings;
pub mod tasks;
pub mod unreadable;

mod crds;
