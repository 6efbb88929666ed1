//! Links against the real coordinator: whole proofs, with leaders that change in the middle.

#![allow(clippy::unwrap_used)]

mod proofs;
mod worker;
