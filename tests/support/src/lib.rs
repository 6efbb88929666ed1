//! What tests and benchmarks share, those against a real API server above all. All of it panics when it fails.
#![allow(clippy::unwrap_used)]

mod api;
pub mod elf;
mod place;

pub use api::{config, install, kubeconfig};
pub use place::Place;
