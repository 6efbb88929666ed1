//! What goes on on the link's thread.
//!
//! * [`hub`]: takes calls and messages to the state, and carries out what it decides.
//! * [`consumers`]: who gets orders, results, messages.
//! * [`replicas`]: which addresses there are.
//! * [`stream`]: one replica: connect, speak, listen, again.
//! * [`frames`]: whatever waits goes into one frame.
//! * [`mod@vital`]: without any of these there is no link.

mod backoff;
mod command;
mod consumers;
mod frames;
mod hub;
mod plan;
mod replicas;
mod stream;
mod vital;

pub(crate) use command::Command;
pub(crate) use hub::run;
pub(crate) use plan::Plan;
pub(crate) use vital::vital;
