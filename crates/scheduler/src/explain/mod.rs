//! Why a task waits.

mod standing;
mod text;

pub use standing::{Standing, Unschedulable};
pub use text::Names;
