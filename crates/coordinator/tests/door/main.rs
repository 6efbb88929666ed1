//! Both doors over real loopback connections, with workers that this test plays. `life`, `outcomes` and `channels` hold by either door; the rest is of one.

#![allow(clippy::unwrap_used)]

mod bad_requests;
mod bursts;
mod channels;
mod life;
mod native;
mod node;
mod outcomes;
mod streams;
mod worker;
