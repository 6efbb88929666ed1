//! The Provost worker: runs SP1's tasks for the coordinator.
//!
//! One process plays up to two roles. *Execute* (Controller, CoreExecute, ExecuteOnly) is ready at once; *prove*
//! (set-ups, shards, recursion) follows when SP1's engine is built. Each role registers with the coordinator on its own.
//!
//! Tests are in `tests/`: a second build of this library, for unit tests, would compile SP1's generic code again.

pub mod artifacts;
pub mod cli;
pub mod coordinator;
pub mod engine;
pub mod failure;
pub mod health;
pub mod local;
pub mod memory;
pub mod orders;
pub mod run;
pub mod solo;
pub mod status;
pub mod tasks;
pub mod verify;

/// The engines are built from millions of small objects. With glibc's allocator three quarters of the time in which the executing one is built go to it, and the
/// proving one takes longer and more memory, with huge pages too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
