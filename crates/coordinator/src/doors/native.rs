//! Provost's own contract: one stream for each process, several messages in a frame.
//!
//! A frame that comes in is read outside the lock and taken as one event. What goes out waits in a queue, and all that waits goes into the next frame.

mod frames;
pub(crate) mod parse;

use std::sync::Arc;

use provost_proto::link::link_server::Link;
use provost_proto::link::{Down, Up};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::ids::ConnId;
use crate::queue::queue;
use crate::refusal::Refusal;
use crate::shared::{Shared, spawn_part};

pub use frames::Frames;

/// The native door. [`crate::Coordinator::native_service`] makes one.
pub struct NativeDoor {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for NativeDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NativeDoor").finish_non_exhaustive()
    }
}

impl NativeDoor {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

#[tonic::async_trait]
impl Link for NativeDoor {
    type JoinStream = Frames;

    async fn join(&self, request: Request<Streaming<Up>>) -> Result<Response<Frames>, Status> {
        if self.shared.shutdown.is_cancelled() {
            return Err(Status::unavailable("the coordinator is shutting down"));
        }
        let (sender, receiver) = queue();
        let (verdict, end) = frames::verdict();
        let reading = CancellationToken::new();
        let conn = {
            let mut inner = self.shared.lock();
            let conn = inner.next_conn();
            let guard = reading.clone().drop_guard();
            inner.comm.attach_link(conn, sender, guard);
            conn
        };
        let shared = Arc::clone(&self.shared);
        spawn_part(&self.shared.shutdown, async move {
            tokio::select! {
                // The coordinator ended the stream.
                () = reading.cancelled() => {}
                refused = read(&shared, conn, request.into_inner()) => {
                    if let Some(refusal) = refused {
                        tracing::warn!(conn, %refusal, "a stream is refused");
                        verdict.refuse(refusal.into());
                    }
                }
            }
            // When the server goes down, it is the server that ended the stream: that says nothing of the worker.
            if shared.shutdown.is_cancelled() {
                return;
            }
            let grace = {
                let mut inner = shared.lock();
                inner.comm.detach_link(conn);
                inner.react(|r| r.link_broken(conn));
                let config = inner.core.config();
                [config.break_grace, config.root_break_grace]
            };
            // The next tick may be too late.
            let broken = tokio::time::Instant::now();
            for grace in grace {
                tokio::select! {
                    () = shared.shutdown.cancelled() => return,
                    () = tokio::time::sleep_until(broken + grace) => shared.react(|r| r.breaks_due()),
                }
            }
        });
        Ok(Response::new(Frames::new(receiver, end)))
    }
}

/// Takes frames until the stream ends, or makes no sense.
async fn read(shared: &Shared, conn: ConnId, mut frames: Streaming<Up>) -> Option<Refusal> {
    // How a stream breaks does not matter.
    while let Ok(Some(frame)) = frames.message().await {
        let words: Vec<_> = frame
            .messages
            .into_iter()
            .filter_map(|message| parse::word(message).transpose())
            .collect();
        if let Err(refusal) = shared.react(|r| r.frame(conn, words)) {
            return Some(refusal);
        }
    }
    None
}

/// What an outgoing stream carries.
type Frame = Result<Down, Status>;
