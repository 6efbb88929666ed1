//! The worker's side of the coordinator, as the real worker has it: calls of a running task over the process's link.

mod client;
mod messages;
mod results;

pub(crate) use client::Client;
pub(crate) use messages::Messages;
pub(crate) use results::{Asker, Results};

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
