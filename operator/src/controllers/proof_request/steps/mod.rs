//! The steps that talk to the outside: each takes a request one step further.

mod leave;
mod look;
mod start;

use std::time::Duration;

use jiff::Timestamp;
use provost_crds::ProofRequest;

use super::decide::until;
pub(super) use leave::{collect, ended, gone};
pub(super) use look::{end, suspend, watch};
pub(super) use start::start;

/// Time between two looks at a proof that runs; changes of the request itself are seen at once.
const WATCH: Duration = Duration::from_secs(2);

/// Time until the next look: `at_most`, or sooner if the deadline is.
pub(super) fn next_look(request: &ProofRequest, at_most: Duration) -> Duration {
    let deadline = request
        .spec
        .deadline
        .as_ref()
        .filter(|_| !request.terminal());
    deadline.map_or(at_most, |deadline| {
        until(Timestamp::now(), deadline.0).min(at_most)
    })
}
