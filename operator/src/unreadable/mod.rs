//! Objects that this version cannot read: another version wrote them, before a roll-back or while one replaces the other. One such object would
//! otherwise end every list and watch of its kind.
//!
//! An object of this kind is left as it is, as if it were not there, but nothing that it may need is removed; a ProofRequest that is being
//! deleted goes. [`book`] knows which there are, [`watch`] keeps them away from the caches, and [`tell`] tells people.

pub mod book;
pub mod kind;
pub mod tell;
pub mod watch;

pub use book::Unreadable;
pub use kind::Kind;
pub use tell::tell;
pub use watch::{controller, watch};
