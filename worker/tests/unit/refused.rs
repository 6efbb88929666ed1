//! A store that refuses the worker's keys is as good as away: proofs wait until somebody has put that right.
#![allow(clippy::unwrap_used)]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use provost_artifacts::{S3Config, S3Store};
use provost_worker::artifacts::{Artifacts, STORE_UNAVAILABLE};
use provost_worker::failure::{Failure, FailureClass};
use sp1_prover::worker::TaskError;
use sp1_prover_types::{Artifact, ArtifactClient as _, ArtifactType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A client of a store that answers every request with 403.
async fn refused() -> Artifacts {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(client.read_u8().await.unwrap());
            }
            let answer =
                b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            client.write_all(answer).await.unwrap();
        }
    });
    let config = S3Config {
        endpoint: format!("http://{address}"),
        region: "us-east-1".to_owned(),
        bucket: "provost".to_owned(),
        access_key: "key".to_owned(),
        secret_key: "old".to_owned(),
        retry_total: Duration::ZERO,
        in_flight_bytes: S3Config::default_in_flight_bytes(),
    };
    Artifacts::new(Arc::new(S3Store::new(config)), NonZeroU32::MIN)
}

#[tokio::test]
async fn keys_that_are_refused_are_the_stores_fault() {
    let artifact = Artifact::from("a".to_owned());
    let kind = ArtifactType::UnspecifiedArtifactType;
    let error = refused().await.download_raw(&artifact, kind).await;
    let error = TaskError::from(error.unwrap_err());
    let failure = Failure::from_task_error("PROVE_SHARD", &error);
    assert_eq!(
        (failure.class, failure.retryable, failure.doubtful),
        (FailureClass::StoreUnavailable, true, false)
    );
    let message = failure.message;
    assert!(message.contains(STORE_UNAVAILABLE), "{message}");
    assert!(message.contains("refuses access"), "{message}");
}
