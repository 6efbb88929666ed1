//! The parts that a link cannot do without.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;

/// Ends the process if `part` panics: without it a worker would count as ready and hear of nothing any more.
pub(crate) async fn vital(part: impl Future<Output = ()>) {
    if AssertUnwindSafe(part).catch_unwind().await.is_err() {
        tracing::error!("the link to the coordinator broke");
        std::process::abort();
    }
}
