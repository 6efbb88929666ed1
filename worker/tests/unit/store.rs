//! A store that nobody asks anything.

use std::num::NonZeroU32;
use std::sync::Arc;

use provost_artifacts::{S3Config, S3Store};
use provost_worker::artifacts::Artifacts;

/// A client of it that is bound to no proof.
pub(crate) fn client(shards_ahead: NonZeroU32) -> Artifacts {
    let config = S3Config {
        endpoint: "http://127.0.0.1:9".to_owned(),
        region: String::new(),
        bucket: String::new(),
        access_key: String::new(),
        secret_key: String::new(),
        retry_total: S3Config::RETRY_TOTAL,
        in_flight_bytes: S3Config::default_in_flight_bytes(),
    };
    Artifacts::new(Arc::new(S3Store::new(config)), shards_ahead)
}
