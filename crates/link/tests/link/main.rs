//! A link against replicas that do as the test says.

#![allow(clippy::unwrap_used)]

mod batching;
mod beats;
mod dial;
mod failover;
mod life;
mod replica;
mod streams;
