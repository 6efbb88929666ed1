//! What tests and benchmarks against a real API server share. All of it panics when it fails.
#![allow(clippy::unwrap_used)]

mod api;
pub mod elf;

pub use api::{config, install, kubeconfig};
