//! The connections of a process: HTTP/2 carries the calls of many simulated workers on one.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use provost_proto::headers;
use provost_proto::worker::worker_service_client::WorkerServiceClient;
use tonic::transport::{Channel, Endpoint};

/// The stub that all calls of one connection share.
pub(crate) type Stub = WorkerServiceClient<Channel>;

/// Connections, handed out to workers one after another, so many workers on each.
#[derive(Debug)]
pub(crate) struct Pool {
    endpoint: Endpoint,
    each: usize,
    current: Mutex<Option<(Stub, usize)>>,
}

impl Pool {
    /// Connections to `address` (`http://host:port`), each for `each` workers.
    pub(crate) fn new(address: &str, each: usize) -> Result<Self, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(address.to_owned())?
            .connect_timeout(Duration::from_secs(3))
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        Ok(Self {
            endpoint,
            each: each.max(1),
            current: Mutex::new(None),
        })
    }

    /// The connection for one more user. It connects when it is first used, and again whenever it must.
    pub(crate) fn stub(&self) -> Stub {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match current.as_mut() {
            Some((stub, users)) if *users < self.each => {
                *users += 1;
                stub.clone()
            }
            _ => {
                let stub = self.own();
                *current = Some((stub.clone(), 1));
                stub
            }
        }
    }

    /// A connection that nobody shares. Must be called on the runtime that is to drive it.
    pub(crate) fn own(&self) -> Stub {
        WorkerServiceClient::new(self.endpoint.connect_lazy())
            .max_decoding_message_size(headers::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(headers::MAX_MESSAGE_BYTES)
    }
}
