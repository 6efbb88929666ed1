//! The API types on a real API server.
//!
//! ```text
//! PROVOST_TEST_KUBECONFIG=... cargo test -p provost-crds --features apiserver-tests
//! ```
//!
//! Each test works in a namespace of its own; the definitions are installed once and left there.

#![allow(clippy::unwrap_used)]

#[path = "../cases/mod.rs"]
mod cases;

mod bounds;
mod columns;
mod defaults;
mod rules;
mod samples;
mod scale;
mod selectors;
mod space;
mod status;
mod strict;
