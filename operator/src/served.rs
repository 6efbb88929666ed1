//! The ProofRequests that this operator serves, for who has to know of all of them.

use std::sync::Arc;

use kube::runtime::reflector::Store;
use provost_crds::ProofRequest;

use crate::unreadable::Unreadable;

/// All requests that are served. Cheap to clone.
#[derive(Clone)]
pub struct Served {
    /// Those that can be read.
    pub cache: Store<ProofRequest>,
    /// The others.
    pub unreadable: Unreadable<ProofRequest>,
}

impl Served {
    /// All of them.
    ///
    /// # Errors
    /// One cannot be read, so that what it needs is not known: its `namespace/name`.
    pub fn all(&self) -> Result<Vec<Arc<ProofRequest>>, String> {
        // In this order: one that turns unreadable is in the book before the cache lacks it.
        let all = self.cache.state();
        match self.unreadable.any() {
            None => Ok(all),
            Some(name) => Err(name),
        }
    }
}
