//! What clients are told when something fails.

use std::io;

use hyper::StatusCode;
use s3s::{S3Error, S3ErrorCode, s3_error};

use super::object::OpenError;

/// There is no room. S3 has no code for this; the name is the one that another S3 server has made known.
fn full() -> S3Error {
    custom(
        "XMinioStorageFull",
        StatusCode::INSUFFICIENT_STORAGE,
        "there is no space left in the store".to_owned(),
    )
}

/// An object's file is damaged. A status that clients do not repeat, since a HEAD's answer has no room for the code.
fn corrupt(detail: String) -> S3Error {
    custom("ObjectCorrupt", StatusCode::UNPROCESSABLE_ENTITY, detail)
}

fn custom(code: &'static str, status: StatusCode, message: String) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

/// What a client is told of a failure of the disk.
pub(super) fn disk(error: io::Error) -> S3Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => full(),
        io::ErrorKind::NotFound => s3_error!(NoSuchKey),
        io::ErrorKind::InvalidFilename => s3_error!(KeyTooLongError),
        _ => {
            tracing::error!(%error, "the store's disk fails");
            s3_error!(error, InternalError, "the store's disk fails")
        }
    }
}

/// What a client is told when an object cannot be opened.
pub(super) fn open(key: &str, error: OpenError) -> S3Error {
    match error {
        OpenError::Io(error) => disk(error),
        OpenError::Corrupt(detail) => {
            tracing::error!(key, detail, "an object's file is damaged");
            corrupt(detail)
        }
    }
}

/// What a client is told when a background thread died.
pub(super) fn background(error: tokio::task::JoinError) -> S3Error {
    s3_error!(error, InternalError, "a thread of the store ended early")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_its_own_status() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let error = disk(kind.into());
            assert_eq!(error.code().as_str(), "XMinioStorageFull");
            assert_eq!(error.status_code(), Some(StatusCode::INSUFFICIENT_STORAGE));
        }
    }
}
