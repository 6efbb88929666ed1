//! Connecting, and repeating a call until it is answered.

use std::time::Duration;

use provost_proto::headers;
use provost_proto::worker::worker_service_client::WorkerServiceClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// How long calls are repeated while the coordinator is away; after that the task fails and is tried elsewhere.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The stub that all calls of one connection share.
pub type Stub = WorkerServiceClient<Channel>;

/// A stub for `address` (`http://host:port`) that connects when it is first used, and again whenever it must.
pub fn connect(address: &str) -> Result<Stub, tonic::transport::Error> {
    let channel = Endpoint::from_shared(address.to_owned())?
        .connect_timeout(Duration::from_secs(3))
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
        .connect_lazy();
    Ok(WorkerServiceClient::new(channel)
        .max_decoding_message_size(headers::MAX_MESSAGE_BYTES)
        .max_encoding_message_size(headers::MAX_MESSAGE_BYTES))
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

/// Repeats `call` while it fails for a reason that may pass, for at most a quarter of an hour.
pub(super) async fn repeat<T, F>(what: &str, mut call: impl FnMut() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let started = tokio::time::Instant::now();
    let mut backoff = Backoff::default();
    loop {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(status) if is_transient(&status) && started.elapsed() < PATIENCE => {
                tracing::debug!(what, %status, "the coordinator did not answer; trying again");
                backoff.wait().await;
            }
            Err(status) => return Err(status),
        }
    }
}
