//! The worker's side of the coordinator: SP1's `WorkerClient` over the native door.

mod client;
mod messages;
mod results;

pub use client::Client;
pub use results::Awaiting;
