//! Unary calls: repeated until they are answered, and spoilt by faults on their way.

use std::sync::Arc;
use std::time::Duration;

use tokio_stream::StreamExt as _;
use tonic::{Code, Response, Status, Streaming};

use super::pool::Stub;
use crate::body::Body;
use crate::faults::{Action, Call, Site};

/// A unary call that takes longer is repeated.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long calls are repeated while the coordinator is away; after that the task fails and is tried elsewhere.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The connection of one worker, with the faults that befall it.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    stub: Stub,
    body: Arc<Body>,
}

impl Calls {
    pub(super) fn new(stub: Stub, body: Arc<Body>) -> Self {
        Self { stub, body }
    }

    pub(super) fn body(&self) -> &Arc<Body> {
        &self.body
    }

    /// Repeats a call while it fails for a reason that may pass, for at most a quarter of an hour.
    pub(super) async fn repeat<T, F>(
        &self,
        call: Call,
        make: impl Fn(Stub) -> F,
    ) -> Result<Response<T>, Status>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let started = tokio::time::Instant::now();
        let mut backoff = Backoff::default();
        loop {
            match self.once(call, &make).await {
                Err(status) if is_transient(&status) && started.elapsed() < PATIENCE => {
                    tracing::debug!(?call, %status, "the coordinator did not answer; trying again");
                    backoff.wait().await;
                }
                answer => return answer,
            }
        }
    }

    /// One attempt at a call.
    pub(super) async fn once<T, F>(
        &self,
        call: Call,
        make: impl Fn(Stub) -> F,
    ) -> Result<Response<T>, Status>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let attempt = self.attempt(call, make);
        match tokio::time::timeout(CALL_TIMEOUT, attempt).await {
            Ok(answer) => answer,
            Err(_) => Err(Status::deadline_exceeded("no answer in time")),
        }
    }

    async fn attempt<T, F>(
        &self,
        call: Call,
        make: impl Fn(Stub) -> F,
    ) -> Result<Response<T>, Status>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        self.body.cut.wait_off().await;
        let (mut lost, mut twice) = (false, false);
        for fault in self.body.faults.reach(&self.body.name, Site::Call(call)) {
            match fault.action {
                Action::LoseReply => lost = true,
                Action::Duplicate => twice = !call.opens_a_stream(),
                Action::Delay => {
                    tokio::time::sleep(fault.duration().unwrap_or_default()).await;
                }
                _ => {}
            }
        }
        let answer = make(self.stub.clone()).await;
        if twice {
            // Its answer finds nobody who waits.
            let _ = make(self.stub.clone()).await;
        }
        self.body.cut.wait_off().await;
        match lost {
            true => Err(Status::unavailable(
                "the answer was lost, as it was told to be",
            )),
            false => answer,
        }
    }

    /// The next item of a stream. What comes during a partition arrives after it: whoever takes an item waits for [`Calls::heard`] first.
    pub(super) async fn next<T>(&self, stream: &mut Streaming<T>) -> Option<Result<T, Status>> {
        self.body.cut.wait_off().await;
        stream.next().await
    }

    /// Returns when nothing is partitioned. Apart from [`Calls::next`], so that no item is lost when that is given up half-way.
    pub(super) async fn heard(&self) {
        self.body.cut.wait_off().await;
    }
}

/// Whether the same call may succeed later.
pub(super) fn is_transient(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::Internal
            | Code::Unknown
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
    )
}

/// What the coordinator no longer knows is as good as reported.
pub(crate) fn forgive_unknown<T>(answer: Result<T, Status>) -> Result<(), Status> {
    match answer {
        Err(status) if status.code() != Code::NotFound => Err(status),
        _ => Ok(()),
    }
}

/// Pauses between attempts: doubling from 50 ms to 2 s.
#[derive(Debug)]
pub(super) struct Backoff {
    pause: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { pause: FIRST_PAUSE }
    }
}

impl Backoff {
    /// Waits, and waits longer next time.
    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
