//! Which task goes first.
//!
//! In this order: higher *priority*; *urgent* proofs before others, the one with less slack first; *fair share*, the tenant that has less and of its proofs
//! the one that has less; the later *stage* of a proof; *age*.

mod deadline;
mod key;

pub use deadline::Deadline;
pub(crate) use key::{Band, Key, Rank};
