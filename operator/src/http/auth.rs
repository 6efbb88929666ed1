//! Who may use the HTTP API: the token is shown to the API server (TokenReview), and its user's right is asked for
//! (SubjectAccessReview). Nothing is decided here.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};
use kube::{Client, Resource};
use provost_crds::{GROUP, ProofRequest};
use tokio::time::timeout;

use super::HttpError;

/// Longest wait for the API server's answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Checks tokens and rights at the API server.
#[derive(Clone)]
pub struct Gate {
    client: Client,
}

impl Gate {
    /// A gate that asks through `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Lets a request pass whose token may do `verb` on proofrequests in `namespace` (on the one called `name`, if given).
    ///
    /// # Errors
    /// No token, an unknown token, a user without the right, or no answer from the API server.
    pub async fn check(
        &self,
        headers: &HeaderMap,
        verb: &'static str,
        namespace: &str,
        name: Option<&str>,
    ) -> Result<(), HttpError> {
        let token = bearer(headers).ok_or(HttpError::NoToken)?;
        let user = self.user(token).await?;
        if self.allowed(&user, verb, namespace, name).await? {
            return Ok(());
        }
        let user = user.username.unwrap_or_else(|| "this user".into());
        Err(HttpError::Forbidden {
            user,
            verb,
            namespace: namespace.to_owned(),
        })
    }

    async fn user(&self, token: &str) -> Result<UserInfo, HttpError> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: token.to_owned(),
                audiences: None,
            },
            ..TokenReview::default()
        };
        let status = self.create(&review).await?.status.unwrap_or_default();
        match status {
            status if status.authenticated == Some(true) => Ok(status.user.unwrap_or_default()),
            _ => Err(HttpError::Unauthenticated),
        }
    }

    async fn allowed(
        &self,
        user: &UserInfo,
        verb: &str,
        namespace: &str,
        name: Option<&str>,
    ) -> Result<bool, HttpError> {
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username.clone(),
                uid: user.uid.clone(),
                groups: user.groups.clone(),
                extra: user.extra.clone(),
                resource_attributes: Some(ResourceAttributes {
                    group: Some(GROUP.into()),
                    resource: Some(ProofRequest::plural(&()).into_owned()),
                    verb: Some(verb.to_owned()),
                    namespace: Some(namespace.to_owned()),
                    name: name.map(str::to_owned),
                    ..ResourceAttributes::default()
                }),
                non_resource_attributes: None,
            },
            ..SubjectAccessReview::default()
        };
        Ok(self
            .create(&review)
            .await?
            .status
            .is_some_and(|status| status.allowed))
    }

    async fn create<K>(&self, object: &K) -> Result<K, HttpError>
    where
        K: Resource<DynamicType = ()>
            + serde::Serialize
            + serde::de::DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let api = Api::<K>::all(self.client.clone());
        match timeout(TIMEOUT, api.create(&PostParams::default(), object)).await {
            Ok(answer) => answer.map_err(|error| HttpError::Api(error.to_string())),
            Err(_) => Err(HttpError::Api(format!(
                "no answer in {} s",
                TIMEOUT.as_secs()
            ))),
        }
    }
}

/// The token of an `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn only_bearer_tokens_count() {
        assert_eq!(bearer(&headers("Bearer abc")), Some("abc"));
        assert_eq!(bearer(&headers("bearer  abc ")), Some("abc"));
        for none in ["Basic abc", "Bearer", "Bearer ", ""] {
            assert_eq!(bearer(&headers(none)), None, "{none}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
