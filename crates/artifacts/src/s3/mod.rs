//! The client of an S3 store.

mod config;
mod delete;
mod download;
mod fault;
mod flight;
mod list;
mod memory;
mod retry;
mod upload;
mod why;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};

use crate::{Kind, ListedObject, ObjectInfo, Store, StoreError, id};

pub use config::{ConfigError, S3Config};
use fault::Fault;
use flight::Flight;
use retry::Retry;

/// Length of parts, unless [`S3Store::with_part_size`] says otherwise: what stock clients use.
const PART: usize = 32 << 20;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a request that carries little may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one with [`PART`] bytes may take: the slowest that is waited for.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);

/// What the store brings to its disk, or looks for under all names, takes it as long besides as it takes to carry so many bytes: about a minute.
const WORK: usize = PART / 2;

/// Name of the user metadata that carries the SHA-256 of the object's bytes in hex.
const SHA256: &str = "sha256";

/// A store behind the S3 protocol: the one that Provost installs, or any other.
///
/// Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    /// Host and port, for people.
    address: String,
    retry: Retry,
    flight: Flight,
    part_size: usize,
}

impl S3Store {
    /// A client. Connects when it is first used.
    pub fn new(config: S3Config) -> Self {
        let address = config.address().to_owned();
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let sdk = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .endpoint_url(config.endpoint)
            .region(Region::new(config.region))
            .credentials_provider(Credentials::new(config.access_key, config.secret_key, None, None, "provost"))
            .force_path_style(true)
            // Retries are ours: the SDK's end after a few seconds, a store that restarts takes longer.
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
            // The whole object has a checksum of ours, and every request's payload is signed.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self {
            client: Client::from_conf(sdk),
            bucket: config.bucket,
            address,
            flight: Flight::new(config.in_flight_bytes),
            retry: Retry {
                total: config.retry_total,
                answer: ANSWER_TIMEOUT,
                attempt: ATTEMPT_TIMEOUT,
            },
            part_size: PART,
        }
    }

    /// The same store with another part size, in bytes. Objects up to this length are written and read in one request,
    /// longer ones in parts of it. S3 servers other than ours take no parts under 5 MiB.
    #[must_use]
    pub fn with_part_size(self, part_size: usize) -> Self {
        Self {
            part_size: part_size.max(1),
            ..self
        }
    }

    /// What the caller is told of a fault.
    fn tell(&self, fault: Fault) -> StoreError {
        fault.into_error(&self.address)
    }

    /// Reads what is known of the object at `key`, once.
    async fn try_head(&self, key: &str) -> Result<Option<ObjectInfo>, Fault> {
        let head = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await;
        match head.map_err(|error| Fault::of(key, &error)) {
            Ok(head) => Ok(Some(ObjectInfo {
                size: head
                    .content_length()
                    .and_then(|length| u64::try_from(length).ok())
                    .unwrap_or(0),
                sha256: head
                    .metadata()
                    .and_then(|metadata| metadata.get(SHA256))
                    .cloned(),
            })),
            Err(Fault::Store(StoreError::NotFound { .. })) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

/// The object's key, if the id can be one.
fn key(kind: Kind, id: &str) -> Result<String, StoreError> {
    if id::is_valid(id) {
        Ok(kind.key(id))
    } else {
        Err(StoreError::InvalidId { id: id.to_owned() })
    }
}

impl Store for S3Store {
    fn put<'a>(
        &'a self,
        kind: Kind,
        id: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move { self.upload(&key(kind, id)?, bytes).await }.boxed()
    }

    fn get<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        async move { self.download(&key(kind, id)?).await }.boxed()
    }

    fn head<'a>(
        &'a self,
        kind: Kind,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<ObjectInfo>, StoreError>> {
        async move {
            let key = key(kind, id)?;
            self.retry
                .run("HeadObject", 0, || self.try_head(&key))
                .await
                .map_err(|fault| self.tell(fault))
        }
        .boxed()
    }

    fn delete<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        async move { self.delete_one(&key(kind, id)?).await }.boxed()
    }

    fn delete_many<'a>(
        &'a self,
        kind: Kind,
        ids: &'a [String],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let keys = ids
                .iter()
                .map(|id| key(kind, id))
                .collect::<Result<Vec<_>, _>>()?;
            self.delete_all(&keys).await
        }
        .boxed()
    }

    fn list(&self, kind: Kind) -> BoxFuture<'_, Result<Vec<ListedObject>, StoreError>> {
        self.list_prefix(kind.prefix()).boxed()
    }
}
