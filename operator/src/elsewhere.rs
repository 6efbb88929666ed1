//! The ProofRequests that this operator does not serve: what they need is in the same store.

use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use provost_crds::ProofRequest;

use crate::api::{ApiError, within};

/// Requests in one answer of the API server: one may hold a program of a megabyte.
const PAGE: u32 = 100;

/// Reads them.
#[derive(Clone)]
pub struct Elsewhere {
    client: Client,
    /// The only namespace that is served; `None` for all.
    scope: Option<String>,
}

impl Elsewhere {
    /// For an operator that serves the namespace `scope` alone, or all.
    pub fn new(client: Client, scope: Option<String>) -> Self {
        Self { client, scope }
    }

    /// The requests of the namespaces that are not served, as they are now.
    ///
    /// # Errors
    /// The API server fails, or does not let this operator see them.
    pub async fn requests(&self) -> Result<Vec<ProofRequest>, ApiError> {
        let mut found = Vec::new();
        let Some(scope) = &self.scope else {
            return Ok(found);
        };
        let api = Api::<ProofRequest>::all(self.client.clone());
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = within("list ProofRequests", api.list(&page)).await?;
            let others = list.items.into_iter();
            found.extend(others.filter(|request| request.namespace().as_ref() != Some(scope)));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(found),
            }
        }
    }
}
