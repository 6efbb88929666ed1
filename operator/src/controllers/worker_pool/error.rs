//! What goes wrong with a pool.

use crate::api::ApiError;

/// Why a pool could not be reconciled.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The API server fails.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl PoolError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Api(error) => error.reason(),
        }
    }
}
