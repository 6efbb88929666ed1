//! Whose the store is. What no request of a cluster names is removed from its store, so that two clusters on one bucket would remove each
//! other's proofs. Each leaves a mark in the bucket, and works there only if no other was first.
//!
//! The marks are objects `owners/ID`. A store without conditional writes is enough: who finds no mark writes its own and looks again, and takes it
//! back if there is another by then. So of any two one looked after both had written. Two installations of one cluster know of
//! each other's requests ([`crate::elsewhere`]) and share the mark.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::Api;
use provost_artifacts::{Kind, ListedObject, Store, StoreError};

use crate::api::{ApiError, within};

/// The namespace whose uid tells one cluster from another: every cluster has it, and it lives as long as the cluster.
const CLUSTER: &str = "kube-system";
/// What people find in a mark.
const TEXT: &[u8] = b"This bucket belongs to the Provost of one Kubernetes cluster. The name of this object is the uid of that cluster's namespace kube-system.\n";
/// Time between two attempts.
const AGAIN: Duration = Duration::from_secs(3);

/// What keeps a cluster from its store.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// Another cluster works with the bucket.
    #[error(
        "the bucket of the artifact store belongs to another cluster: it holds {}. Give this installation a bucket of its own (PROVOST_STORE_BUCKET), since each would remove what the other stores. If that cluster is gone for good, delete the object.",
        Kind::Owner.key(.0)
    )]
    Others(String),
    /// Another one claims the store at the same time.
    #[error("another cluster claims the artifact store at the same time: {}", Kind::Owner.key(.0))]
    Contested(String),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cluster cannot be told from others.
    #[error("the uid of the namespace {CLUSTER}: {0}")]
    Cluster(#[source] ApiError),
}

impl OwnerError {
    /// Stable word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Others(_) => "StoreOfOthers",
            Self::Contested(_) => "StoreContested",
            Self::Store(error) => error.reason(),
            Self::Cluster(error) => error.reason(),
        }
    }
}

/// A cluster's claim to its store. Cheap to clone.
#[derive(Clone)]
pub struct Owner {
    client: Client,
    store: Arc<dyn Store>,
}

impl Owner {
    /// The claim of the cluster behind `client`.
    pub fn new(client: Client, store: Arc<dyn Store>) -> Self {
        Self { client, store }
    }

    /// Claims the store, or sees that it is claimed.
    ///
    /// # Errors
    /// It is another's, or that cannot be told.
    pub async fn claim(&self) -> Result<(), OwnerError> {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let cluster = within("read a namespace", namespaces.get(CLUSTER))
            .await
            .map_err(OwnerError::Cluster)?;
        claim(&*self.store, &cluster.metadata.uid.unwrap_or_default()).await
    }

    /// Claims the store, before anything is done with it. A store that does not answer is not waited for: nothing can be removed there, and people are to be told of it.
    ///
    /// # Errors
    /// [`OwnerError::Others`].
    pub async fn begin(&self) -> Result<(), OwnerError> {
        self.insist(|error| matches!(error, OwnerError::Store(_)))
            .await
    }

    /// Looks again, as soon as the store answers. Another replica of this cluster may have met another cluster's claim, and taken back the mark of both.
    ///
    /// # Errors
    /// [`OwnerError::Others`].
    pub async fn settle(&self) -> Result<(), OwnerError> {
        pause().await;
        self.insist(|_| false).await
    }

    /// Claims the store until that is done, it is another's, or it fails with what is `enough`.
    async fn insist(&self, enough: impl Fn(&OwnerError) -> bool) -> Result<(), OwnerError> {
        loop {
            match self.claim().await {
                Ok(()) => return Ok(()),
                Err(error @ OwnerError::Others(_)) => return Err(error),
                Err(error) => {
                    tracing::warn!(reason = error.reason(), %error, "whose the artifact store is cannot be told yet");
                    if enough(&error) {
                        return Ok(());
                    }
                }
            }
            pause().await;
        }
    }
}

/// Two that claim a store at once are not to do so again in step.
async fn pause() {
    tokio::time::sleep(AGAIN.mul_f64(0.5 + rand::random::<f64>())).await;
}

async fn claim(store: &dyn Store, own: &str) -> Result<(), OwnerError> {
    let found = store.list(Kind::Owner).await?;
    match (find(&found, own), other(&found, own)) {
        (Some(_), None) => Ok(()),
        (Some(mine), Some(first)) if mine.modified < first.modified => Ok(()),
        // One of an attempt that was cut short; if both are of the same moment, people decide.
        (Some(mine), Some(first)) => {
            if first.modified < mine.modified {
                store.delete(Kind::Owner, own).await?;
            }
            Err(OwnerError::Others(first.id.clone()))
        }
        (None, Some(first)) => Err(OwnerError::Others(first.id.clone())),
        (None, None) => {
            store.put(Kind::Owner, own, TEXT.into()).await?;
            let found = store.list(Kind::Owner).await?;
            match other(&found, own) {
                None => Ok(()),
                Some(other) => {
                    store.delete(Kind::Owner, own).await?;
                    Err(OwnerError::Contested(other.id.clone()))
                }
            }
        }
    }
}

fn find<'a>(found: &'a [ListedObject], own: &str) -> Option<&'a ListedObject> {
    found.iter().find(|mark| mark.id == own)
}

/// The oldest mark of another.
fn other<'a>(found: &'a [ListedObject], own: &str) -> Option<&'a ListedObject> {
    let others = found.iter().filter(|mark| mark.id != own);
    others.min_by_key(|mark| mark.modified)
}

#[cfg(test)]
#[path = "owner_tests.rs"]
mod tests;
