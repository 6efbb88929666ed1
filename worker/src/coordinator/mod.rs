//! The worker's side of the coordinator: SP1's `WorkerClient` over the native door.

mod client;
mod messages;
mod results;
mod set_up;

pub use client::Client;
pub use results::Awaiting;
pub use set_up::VerifyingKeys;
