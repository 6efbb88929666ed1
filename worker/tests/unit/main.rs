//! Tests of the worker, in one program: each would link SP1 again.

mod download;
mod failure;
mod guests;
mod inputs;
mod memory;
mod origin;
mod report;
mod results;
mod wire;
