//! An execution does not run ahead of the provers without bound.
#![allow(clippy::unwrap_used, missing_docs)]

use std::num::NonZeroU32;
use std::sync::Arc;

use futures::FutureExt as _;
use provost_artifacts::{S3Config, S3Store};
use provost_worker::artifacts::Artifacts;
use sp1_prover_types::{Artifact, ArtifactClient as _};

#[tokio::test]
async fn no_more_shards_wait_than_are_allowed() {
    let config = S3Config {
        endpoint: "http://127.0.0.1:9".to_owned(),
        region: String::new(),
        bucket: String::new(),
        access_key: String::new(),
        secret_key: String::new(),
        retry_total: S3Config::RETRY_TOTAL,
        in_flight_bytes: S3Config::default_in_flight_bytes(),
    };
    let client = Artifacts::new(Arc::new(S3Store::new(config)), NonZeroU32::new(2).unwrap());
    let record = Artifact::from("record".to_owned());
    let first = client.acquire_shard_permit(&record).await;
    // Clones are of the same execution.
    let _second = client.clone().acquire_shard_permit(&record).await;
    assert!(
        client
            .acquire_shard_permit(&record)
            .now_or_never()
            .is_none()
    );
    drop(first);
    assert!(
        client
            .acquire_shard_permit(&record)
            .now_or_never()
            .is_some()
    );
}
