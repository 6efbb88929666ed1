//! What becomes of a task that failed: another attempt, when and where, or the end.
//!
//! Pure: [`History`] is what is remembered of a task, [`History::fail`] takes the next failure in and decides. Chance comes in as an argument.
//!
//! | class | counts | bound |
//! | --- | --- | --- |
//! | Preempted | apart: it says nothing about the task | [`Policy::preemptions`], generous |
//! | NodeLost, OutOfMemory | the different workers that the task may have taken down | [`Policy::killed_workers`]: then it is poison |
//! | OutOfMemory, where there are larger workers | one escalation: only workers larger than the one that died | out of memory on such a one too: the end |
//! | StoreUnavailable | apart: it is back-pressure | [`Policy::store_patience`] in time since the first in a row |
//! | Transient, Timeout, Bug | retries | [`Policy::retries`] |
//! | InvalidProof | retries, and no more than one of them | hardware errs once; the same proof wrong on another worker is a fault of ours |
//! | ProgramFault | | none: every attempt ends the same |
//!
//! Infrastructure classes do not use up retries. Each further attempt avoids the worker of the last one.

mod backoff;
mod class;
mod history;
mod policy;
mod text;
mod timeouts;

pub use class::{FailureClass, UnknownClass};
pub use history::{Decision, Failure, GiveUp, History, Place};
pub use policy::Policy;
pub use timeouts::Timeouts;
