//! What an answer of the server, or the lack of one, means.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::why::why;
use crate::StoreError;

/// Why one request failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// What the caller would be told.
    Store(StoreError),
    /// No answer, or one that says that the server cannot now.
    Away(String),
    /// The server does not know the multipart upload, or not all of its parts: it restarted.
    UploadGone,
    /// The object was replaced between two requests.
    Changed,
    /// The object ends before the range.
    NoRange,
}

impl Fault {
    /// The fault behind an SDK error on `key`.
    pub(super) fn of<E>(key: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let Some(response) = error.raw_response() else {
            // No answer: refused, reset, timed out, not resolved.
            return Self::Away(why(error));
        };
        let status = response.status().as_u16();
        let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
        let code = metadata.and_then(|meta| meta.code()).unwrap_or_default();
        let message = metadata.and_then(|meta| meta.message()).unwrap_or_default();
        Self::of_answer(key, status, code, message)
    }

    /// The fault behind an answer with this status, and code and message where its body had them.
    pub(super) fn of_answer(key: &str, status: u16, code: &str, message: &str) -> Self {
        let key = key.to_owned();
        let detail = match (code, message) {
            ("", "") => format!("status {status}"),
            (code, "") => format!("status {status}, {code}"),
            (code, message) => format!("{message} ({code})"),
        };
        match (status, code) {
            (_, "NoSuchUpload" | "InvalidPart") => Self::UploadGone,
            // Status 403, though no key is refused: one of two clocks is wrong until somebody sets it.
            (_, "RequestTimeTooSkewed") => Self::Away(detail),
            (422, _) | (_, "ObjectCorrupt") => Self::Store(StoreError::Corrupt {
                key,
                detail: message.to_owned(),
            }),
            (_, "NoSuchBucket") => Self::Store(StoreError::Rejected { detail }),
            (404, _) => Self::Store(StoreError::NotFound { key }),
            (412, _) => Self::Changed,
            (416, _) => Self::NoRange,
            (507, _) | (_, "XMinioStorageFull" | "StorageFull") => {
                Self::Store(StoreError::Full { detail })
            }
            (401 | 403, _) => Self::Store(StoreError::Denied { detail }),
            // What a broken transfer looks like from the other side, and what ends an answer that began with status 200: that to the end of
            // an upload in parts is begun before it is known how it goes.
            (
                _,
                "RequestTimeout"
                | "IncompleteBody"
                | "BadDigest"
                | "XAmzContentSHA256Mismatch"
                | "SlowDown"
                | "InternalError"
                | "ServiceUnavailable",
            )
            | (408 | 429 | 500.., _) => Self::Away(detail),
            _ => Self::Store(StoreError::Rejected { detail }),
        }
    }

    /// A fault that may pass.
    pub(super) fn unavailable(detail: impl std::fmt::Display) -> Self {
        Self::Away(detail.to_string())
    }

    /// The object's bytes are not what was written.
    pub(super) fn corrupt(key: &str, detail: String) -> Self {
        Self::Store(StoreError::Corrupt {
            key: key.to_owned(),
            detail,
        })
    }

    /// Whether the same request may succeed if it is repeated.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Away(_) => true,
            Self::Store(error) => error.is_transient(),
            Self::UploadGone | Self::Changed | Self::NoRange => false,
        }
    }

    /// What the caller is told of `store`, its host and port.
    pub(super) fn into_error(self, store: &str) -> StoreError {
        let detail = match self {
            Self::Store(error) => return error,
            Self::Away(detail) => detail,
            Self::UploadGone => "it forgot the upload again and again".to_owned(),
            Self::Changed => {
                "the object was replaced while it was read, again and again".to_owned()
            }
            Self::NoRange => "the object is shorter than it said".to_owned(),
        };
        StoreError::Unavailable {
            store: store.to_owned(),
            detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_faults() {
        let reason = |status, code, message| {
            Fault::of_answer("k", status, code, message)
                .into_error("store:9000")
                .reason()
        };
        assert_eq!(reason(404, "NoSuchKey", ""), "ArtifactNotFound");
        assert_eq!(reason(404, "", ""), "ArtifactNotFound");
        assert_eq!(reason(404, "NoSuchBucket", ""), "StoreRejected");
        assert_eq!(reason(403, "SignatureDoesNotMatch", ""), "StoreDenied");
        assert_eq!(
            reason(507, "XMinioStorageFull", "no space left"),
            "StoreFull"
        );
        assert_eq!(reason(507, "", ""), "StoreFull");
        assert_eq!(reason(422, "ObjectCorrupt", "torn"), "ArtifactCorrupt");
        assert_eq!(reason(500, "InternalError", ""), "StoreUnavailable");
        assert_eq!(reason(503, "SlowDown", ""), "StoreUnavailable");
        assert_eq!(reason(400, "IncompleteBody", ""), "StoreUnavailable");
        assert_eq!(reason(200, "InternalError", ""), "StoreUnavailable");
        assert_eq!(reason(200, "ServiceUnavailable", ""), "StoreUnavailable");
        assert_eq!(reason(403, "RequestTimeTooSkewed", ""), "StoreUnavailable");
        assert_eq!(reason(400, "KeyTooLongError", ""), "StoreRejected");
        assert!(matches!(
            Fault::of_answer("k", 404, "NoSuchUpload", ""),
            Fault::UploadGone
        ));
    }
}
