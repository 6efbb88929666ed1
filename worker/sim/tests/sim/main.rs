//! Simulated workers against the real coordinator over loopback, and the real store: proofs end, nothing is left over, and each fault does what it
//! says and costs what it should.

#![allow(clippy::unwrap_used)]

mod cluster;
mod crashes;
mod failures;
mod fleet;
mod load;
mod network;
mod process;
mod proofs;
mod silence;
mod stores;
