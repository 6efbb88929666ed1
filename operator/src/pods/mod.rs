//! Worker pods as the operator sees them: what a pod's status says about its worker, and the watch that acts on it.

pub mod book;
pub mod classify;
pub mod problem;
pub mod watch;
