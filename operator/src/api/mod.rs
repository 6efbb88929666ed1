//! Small helpers around the Kubernetes API: a client that counts, bounded calls and status writes that skip what would change nothing.

pub mod call;
pub mod client;
pub mod diff;
pub mod events;
pub mod status;

pub use call::{ApiError, within};
pub use client::client;
pub use events::Events;
