//! Tests of the worker, in one program: each would link SP1 again.

mod ahead;
mod calls;
mod device;
mod download;
mod failure;
mod guests;
mod inputs;
mod known_answer;
mod memory;
mod origin;
mod parts;
mod refused;
mod report;
mod results;
mod solo;
mod stdin;
mod store;
mod wire;
