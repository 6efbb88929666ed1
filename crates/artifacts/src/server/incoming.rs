//! Bytes on their way from a client into a file.

use std::fs::File;
use std::sync::Arc;

use futures::StreamExt as _;
use s3s::dto::StreamingBlob;
use s3s::{S3Result, s3_error};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::checksums::Checksums;
use super::disk::{Disk, Unfinished};
use super::errors;

/// How much of an upload that has failed already is still read. A client that is cut off while it sends does
/// not see the answer, and takes a full store for a broken one.
const LEFTOVERS: u64 = 64 << 20;

/// All bytes of an upload, or of a part of one, in a file.
#[derive(Debug)]
pub(super) struct Received {
    /// The file, removed when this is dropped.
    pub(super) unfinished: Unfinished,
    /// Open, positioned after the last byte.
    pub(super) file: File,
    /// Has seen all bytes.
    pub(super) sha256: Sha256,
    /// How many they are.
    pub(super) length: u64,
}

/// Writes what a client sends into a new file.
pub(super) async fn receive(
    disk: &Arc<Disk>,
    body: Option<StreamingBlob>,
    announced_length: Option<i64>,
    checksums: Checksums,
) -> S3Result<Received> {
    let mut body = body.unwrap_or_else(|| StreamingBlob::from(s3s::Body::empty()));
    let received = write(disk, &mut body, checksums).await;
    match received {
        Ok(received) => match announced_length.map(u64::try_from) {
            Some(announced) if announced != Ok(received.length) => Err(s3_error!(
                IncompleteBody,
                "{} bytes arrived",
                received.length
            )),
            _ => Ok(received),
        },
        Err(error) => {
            drain(body).await;
            Err(error)
        }
    }
}

async fn write(
    disk: &Arc<Disk>,
    body: &mut StreamingBlob,
    mut checksums: Checksums,
) -> S3Result<Received> {
    let disk = Arc::clone(disk);
    let created = tokio::task::spawn_blocking(move || disk.create())
        .await
        .map_err(errors::background)?;
    let (unfinished, file) = created.map_err(errors::disk)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut sha256 = Sha256::new();
    let mut length = 0;
    while let Some(chunk) = body.next().await {
        let chunk =
            chunk.map_err(|error| s3_error!(IncompleteBody, "the body broke off: {error}"))?;
        sha256.update(&chunk);
        checksums.update(&chunk);
        length += chunk.len() as u64;
        file.write_all(&chunk).await.map_err(errors::disk)?;
    }
    // Writes go on in the background: their errors show here.
    file.flush().await.map_err(errors::disk)?;
    checksums.verify()?;
    Ok(Received {
        unfinished,
        file: file.into_std().await,
        sha256,
        length,
    })
}

async fn drain(mut body: StreamingBlob) {
    let mut left = LEFTOVERS;
    while let Some(Ok(chunk)) = body.next().await {
        left = left.saturating_sub(chunk.len() as u64);
        if left == 0 {
            return;
        }
    }
}
