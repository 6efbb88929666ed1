//! Small helpers around the Kubernetes API: bounded calls and status writes that skip what would change nothing.

pub mod call;
pub mod diff;
pub mod events;
pub mod status;

pub use call::{ApiError, within};
pub use events::Events;
