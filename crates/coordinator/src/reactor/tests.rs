//! The reactor, event by event: state built up by calls, commands recorded, all books checked after every step.

mod beats;
mod breaks;
mod channels;
mod cordons;
mod drains;
mod env;
mod explain;
mod joined;
mod life;
mod limits;
mod losses;
mod peer;
mod placement;
mod random;
mod recalls;
mod retries;
mod shards;
mod sharing;
mod spare;
mod subs;
mod terms;
