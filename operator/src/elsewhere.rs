//! The ProofRequests that this operator does not serve: what they need is in the same store.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, ListParams};
use kube::core::DeserializeGuard;
use kube::{Client, ResourceExt};
use provost_crds::ProofRequest;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::api::{ApiError, within};
use crate::cached;

/// For how long an answer is good: many requests may be deleted at once.
const FRESH: Duration = Duration::from_secs(5);

/// Reads them. Cheap to clone.
#[derive(Clone)]
pub struct Elsewhere {
    client: Client,
    /// The only namespace that is served; `None` for all.
    scope: Option<String>,
    last: Arc<Mutex<Option<Look>>>,
}

/// When they were read, and what was found.
type Look = (Instant, Option<Others>);

/// Requests that are not served.
pub type Others = Arc<Vec<Arc<ProofRequest>>>;

impl Elsewhere {
    /// For an operator that serves the namespace `scope` alone, or all.
    pub fn new(client: Client, scope: Option<String>) -> Self {
        Self {
            client,
            scope,
            last: Arc::default(),
        }
    }

    /// The requests of the namespaces that are not served, as they were a few seconds ago at most; `None` if there is one that this version
    /// cannot read: what that one needs is not known.
    ///
    /// # Errors
    /// The API server fails, or does not let this operator see them.
    pub async fn requests(&self) -> Result<Option<Others>, ApiError> {
        let Some(scope) = &self.scope else {
            return Ok(Some(Others::default()));
        };
        let mut last = self.last.lock().await;
        if let Some((at, others)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(others.clone());
        }
        let others = self.list(scope).await?.map(Others::new);
        *last = Some((Instant::now(), others.clone()));
        Ok(others)
    }

    /// Whether another operator may use the same store.
    pub fn is_shared(&self) -> bool {
        self.scope.is_some()
    }

    async fn list(&self, scope: &str) -> Result<Option<Vec<Arc<ProofRequest>>>, ApiError> {
        let api = Api::<DeserializeGuard<ProofRequest>>::all(self.client.clone());
        let mut page = ListParams::default().limit(cached::PAGE);
        let mut found = Vec::new();
        loop {
            let list = within("list ProofRequests", api.list(&page)).await?;
            let all = list.items.into_iter();
            let others = all.filter(|request| request.namespace().as_deref() != Some(scope));
            for DeserializeGuard(request) in others {
                let mut request = match request {
                    Ok(request) => request,
                    Err(unread) => {
                        let (namespace, name) = (&unread.metadata.namespace, &unread.metadata.name);
                        tracing::warn!(
                            ?namespace,
                            ?name,
                            error = unread.error,
                            "a ProofRequest of another namespace cannot be read: inputs stay in the store"
                        );
                        return Ok(None);
                    }
                };
                cached::elsewhere(&mut request);
                found.push(Arc::new(request));
            }
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(Some(found)),
            }
        }
    }
}
