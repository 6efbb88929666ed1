//! The worker's side of the coordinator's contract (`worker.WorkerService`).

mod channel;
mod client;
mod heartbeat;
mod messages;
mod session;
mod subscriber;

pub use channel::{Stub, connect};
pub use client::Client;
pub use heartbeat::{Sessions, start as start_heartbeat};
pub use session::{Order, Registration, Session};
pub use subscriber::Awaiting;
