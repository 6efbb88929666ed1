//! The unary door over a real loopback connection, with workers that this test plays.

#![allow(clippy::unwrap_used)]

mod bad_requests;
mod bursts;
mod life;
mod native;
mod node;
mod outcomes;
mod streams;
