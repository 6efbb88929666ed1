//! What goes wrong with a store.

/// Why the store did not do what was asked of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("{key} is not in the store")]
    NotFound {
        /// The object's key.
        key: String,
    },
    /// The object's length or checksum is not what was written.
    #[error("{key} is damaged: {detail}")]
    Corrupt {
        /// The object's key.
        key: String,
        /// What does not fit.
        detail: String,
    },
    /// The store did not answer, or answered that it cannot now, for as long as the client was told to try.
    #[error("store {store} does not answer: {detail}")]
    Unavailable {
        /// Which: host and port.
        store: String,
        /// The last failure, for people.
        detail: String,
    },
    /// The store has no room. Passes when something is deleted.
    #[error("the store is full: {detail}")]
    Full {
        /// What the store said.
        detail: String,
    },
    /// The store does not accept our keys.
    #[error("the store refuses access: {detail}")]
    Denied {
        /// What the store said.
        detail: String,
    },
    /// The store does not accept the request.
    #[error("the store refuses the request: {detail}")]
    Rejected {
        /// What the store said.
        detail: String,
    },
    /// No object can have this id.
    #[error("{id:?} is not an artifact id: letters, digits, '_', '-' and '.', at most 200 of them")]
    InvalidId {
        /// The id.
        id: String,
    },
}

impl StoreError {
    /// Stable name of the error: metric label, event reason and condition reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "ArtifactNotFound",
            Self::Corrupt { .. } => "ArtifactCorrupt",
            Self::Unavailable { .. } => "StoreUnavailable",
            Self::Full { .. } => "StoreFull",
            Self::Denied { .. } => "StoreDenied",
            Self::Rejected { .. } => "StoreRejected",
            Self::InvalidId { .. } => "InvalidArtifactId",
        }
    }

    /// Whether the same request may succeed later without anyone changing it.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full { .. })
    }
}
