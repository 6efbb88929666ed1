//! Faults on demand: what goes wrong, where, and how often. They come from flags, from the environment, or over HTTP while the process runs.

mod fault;
mod place;
mod rules;

pub use fault::{Action, Fault, FaultError};
pub use place::{Call, Point, StoreOp};
pub use rules::{FaultView, Faults, Site};
