//! An execution does not run ahead of the provers without bound.
#![allow(clippy::unwrap_used, missing_docs)]

use std::num::NonZeroU32;

use futures::FutureExt as _;
use sp1_prover_types::{Artifact, ArtifactClient as _};

use crate::store::client;

#[tokio::test]
async fn no_more_shards_wait_than_are_allowed() {
    let client = client(NonZeroU32::new(2).unwrap());
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
