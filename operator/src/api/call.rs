//! Bounded calls to the API server. kube retries 429, 503 and 504 by itself, for as long as it takes: without a bound a call could
//! hang for minutes.

use std::time::Duration;

use tokio::time::timeout;

/// Longest wait for one call, retries included.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A call to the API server that failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server refused it or could not be reached.
    #[error("{what}: {source}")]
    Kube {
        /// What was attempted.
        what: &'static str,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// The server did not answer in time.
    #[error("{0}: no answer from the API server in {n} s", n = TIMEOUT.as_secs())]
    Timeout(&'static str),
}

impl ApiError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "ApiTimeout",
            Self::Kube { source, .. } => match source.as_ref() {
                kube::Error::Api(status) if status.is_conflict() => "ApiConflict",
                kube::Error::Api(status) if status.is_forbidden() => "ApiForbidden",
                kube::Error::Api(_) => "ApiRefused",
                kube::Error::SerdeError(_) => "ApiUnreadable",
                _ => "ApiUnavailable",
            },
        }
    }

    /// Whether the object is not there.
    pub fn is_not_found(&self) -> bool {
        self.status(|status| status.is_not_found())
    }

    /// Whether the object is there already.
    pub fn is_already_exists(&self) -> bool {
        self.status(|status| status.is_already_exists())
    }

    /// Whether the object has changed since it was read.
    pub fn is_conflict(&self) -> bool {
        self.status(|status| status.is_conflict() && !status.is_already_exists())
    }

    /// Whether the object is there, but not as this version knows it.
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Kube { source, .. } if matches!(source.as_ref(), kube::Error::SerdeError(_)))
    }

    /// Whether the server looked at the request and said no, so that the same request would be refused again.
    pub fn is_refused(&self) -> bool {
        self.status(|status| matches!(status.code, 400 | 403 | 422))
    }

    fn status(&self, test: impl Fn(&kube::core::Status) -> bool) -> bool {
        matches!(self, Self::Kube { source, .. } if matches!(source.as_ref(), kube::Error::Api(status) if test(status)))
    }
}

/// Awaits `call`, which does `what`, for a bounded time.
///
/// # Errors
/// The call's own error, or [`ApiError::Timeout`].
pub async fn within<T>(
    what: &'static str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ApiError> {
    match timeout(TIMEOUT, call).await {
        Ok(answer) => answer.map_err(|source| ApiError::Kube {
            what,
            source: Box::new(source),
        }),
        Err(_) => Err(ApiError::Timeout(what)),
    }
}
