//! Which replica leads, and in which epoch.
//!
//! One Lease decides. Each acquisition is a new epoch, a restart in place too, so that workers can tell an old leader's orders from a
//! new one's. All writes carry the resourceVersion that was read: of two candidates one wins.

mod election;
mod fence;
mod label;
mod leader;
mod lease;
mod takeover;

pub use election::{Election, Seen, Step, Timing};
pub use fence::Fence;
pub use label::Label;
pub use leader::Leader;
pub use lease::{Candidate, Standing};
pub use takeover::Takeover;
