//! The client and the embedded server, over a socket.
#![allow(clippy::unwrap_used)]

mod damage;
mod harness;
mod objects;
mod outages;
mod stock;
