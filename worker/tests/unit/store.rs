//! Clients of a store that says nothing.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use provost_artifacts::{S3Config, S3Store};
use provost_worker::artifacts::Artifacts;

/// A client that is bound to no proof, of a store that is not there.
pub(crate) fn client(shards_ahead: NonZeroU32) -> Artifacts {
    client_at(([127, 0, 0, 1], 9).into(), shards_ahead)
}

/// The same of a store at `address`.
pub(crate) fn client_at(address: SocketAddr, shards_ahead: NonZeroU32) -> Artifacts {
    let config = S3Config {
        endpoint: format!("http://{address}"),
        region: String::new(),
        bucket: String::new(),
        access_key: String::new(),
        secret_key: String::new(),
        retry_total: S3Config::RETRY_TOTAL,
        in_flight_bytes: S3Config::default_in_flight_bytes(),
    };
    Artifacts::new(Arc::new(S3Store::new(config)), shards_ahead)
}
