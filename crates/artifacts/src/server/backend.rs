//! What the server does for each request, apart from the protocol.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::sync::Arc;
use std::time::SystemTime;

use s3s::dto::{Range, StreamingBlob};
use s3s::{S3Result, s3_error};
use sha2::Digest as _;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use super::disk::{Disk, Page};
use super::errors;
use super::incoming::Received;
use super::multipart::{self, Part, Uploads};
use super::object::{About, Header, SHA256};
use crate::digest;

/// Bytes that are read from a file at a time.
const READ: usize = 256 << 10;

/// The state of a server.
pub(super) struct Backend {
    pub(super) disk: Arc<Disk>,
    pub(super) bucket: String,
    pub(super) uploads: Uploads,
}

/// An object's bytes, or some of them, and what is known of it.
pub(super) struct Opened {
    pub(super) header: Header,
    pub(super) body: StreamingBlob,
    /// Which of the bytes.
    pub(super) range: std::ops::Range<u64>,
}

impl Backend {
    pub(super) fn new(disk: Disk, bucket: String) -> Self {
        Self {
            disk: Arc::new(disk),
            bucket,
            uploads: Uploads::default(),
        }
    }

    /// Fails for every bucket but the one.
    pub(super) fn check_bucket(&self, bucket: &str) -> S3Result<()> {
        if bucket == self.bucket {
            Ok(())
        } else {
            Err(s3_error!(
                NoSuchBucket,
                "this store has one bucket, {}",
                self.bucket
            ))
        }
    }

    /// Makes received bytes an object, durably.
    pub(super) async fn store(
        &self,
        key: String,
        about: About,
        received: Received,
    ) -> S3Result<Header> {
        self.blocking(move |disk| store(disk, &key, about, received))
            .await
    }

    /// Joins parts and makes them an object, durably.
    pub(super) async fn store_parts(
        &self,
        key: String,
        about: About,
        parts: Vec<Part>,
    ) -> S3Result<Header> {
        self.blocking(move |disk| {
            let received = multipart::join(parts).map_err(errors::disk)?;
            store(disk, &key, about, received)
        })
        .await
    }

    /// What is known of an object.
    pub(super) async fn head(&self, key: String) -> S3Result<Header> {
        let (_, header) = self.open_file(key).await?;
        Ok(header)
    }

    /// Opens an object for reading, all of it or a range.
    pub(super) async fn open(&self, key: String, range: Option<Range>) -> S3Result<Opened> {
        let (mut file, header) = self.open_file(key).await?;
        let range = match range {
            Some(range) => range.check(header.length)?,
            None => 0..header.length,
        };
        if range.start > 0 {
            let offset = i64::try_from(range.start).map_err(|_| s3_error!(InvalidRange))?;
            file.seek(SeekFrom::Current(offset)).map_err(errors::disk)?;
        }
        let bytes = tokio::fs::File::from_std(file).take(range.end - range.start);
        let body = StreamingBlob::wrap(ReaderStream::with_capacity(bytes, READ));
        Ok(Opened {
            header,
            body,
            range,
        })
    }

    /// Deletes objects; for each that could not be deleted, its key and why.
    pub(super) async fn delete(&self, keys: Vec<String>) -> S3Result<Vec<(String, s3s::S3Error)>> {
        self.blocking(move |disk| {
            let mut failed = Vec::new();
            let mut changed = Vec::new();
            for key in keys {
                match disk.delete(&key) {
                    Ok(folder) => changed.extend(folder),
                    Err(error) => failed.push((key, errors::disk(error))),
                }
            }
            disk.sync(changed).map_err(errors::disk)?;
            Ok(failed)
        })
        .await
    }

    /// Lists objects.
    pub(super) async fn list(
        &self,
        prefix: String,
        after: Option<String>,
        limit: usize,
    ) -> S3Result<Page> {
        self.blocking(move |disk| {
            disk.list(&prefix, after.as_deref(), limit)
                .map_err(errors::disk)
        })
        .await
    }

    async fn open_file(&self, key: String) -> S3Result<(File, Header)> {
        self.blocking(move |disk| {
            disk.open_object(&key)
                .map_err(|error| errors::open(&key, error))
        })
        .await
    }

    /// Runs to its end even if the client goes away.
    async fn blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Disk) -> S3Result<T> + Send + 'static,
    ) -> S3Result<T> {
        let disk = Arc::clone(&self.disk);
        tokio::task::spawn_blocking(move || act(&disk))
            .await
            .map_err(errors::background)?
    }
}

fn store(disk: &Disk, key: &str, mut about: About, received: Received) -> S3Result<Header> {
    let Received {
        unfinished,
        file,
        sha256,
        length,
    } = received;
    let sha256 = digest::hex(&sha256.finalize());
    // A client of ours sends the checksum of the whole. For others it is added, so that every reader can verify.
    let announced = about
        .metadata
        .entry(SHA256.to_owned())
        .or_insert_with(|| sha256.clone());
    if !announced.eq_ignore_ascii_case(&sha256) {
        return Err(s3_error!(
            BadDigest,
            "the SHA-256 in the metadata does not fit the bytes that arrived"
        ));
    }
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let header = Header {
        length,
        sha256,
        modified_ms: now.as_millis() as u64,
        about,
    };
    let bytes = header.encode().ok_or_else(|| s3_error!(MetadataTooLarge))?;
    disk.commit(key, unfinished, file, &bytes)
        .map_err(errors::disk)?;
    Ok(header)
}
