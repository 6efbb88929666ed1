//! Why a task waits, as data: who makes words of it knows the names.

mod standing;

pub use standing::{Standing, Unschedulable};
