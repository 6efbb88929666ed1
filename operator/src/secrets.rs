//! The artifact store's keys: made at install, kept in a Secret of the operator's namespace.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, PostParams};
use kube::{Client, Error};
use rand::RngExt as _;
use rand::distr::Alphanumeric;
use tokio::time::timeout;

/// Key of the Secret with the access key.
pub const ACCESS_KEY: &str = "access-key";
/// Key of the Secret with the secret key.
pub const SECRET_KEY: &str = "secret-key";
/// Longest wait for the API server.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Credentials of the artifact store.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreKeys {
    /// Name of the user.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
}

impl std::fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreKeys")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

/// Why the keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The API server failed.
    #[error("secret {name}: {source}")]
    Api {
        /// Name of the Secret.
        name: String,
        /// The cause.
        source: Box<Error>,
    },
    /// The API server did not answer.
    #[error("secret {0}: the API server did not answer")]
    Timeout(String),
    /// Somebody made a Secret without the keys.
    #[error("secret {name} has no key {key}: add it, or delete the secret to have it made anew")]
    Incomplete {
        /// Name of the Secret.
        name: String,
        /// The missing key.
        key: &'static str,
    },
}

impl SecretError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Api { .. } | Self::Timeout(_) => "ApiUnavailable",
            Self::Incomplete { .. } => "SecretIncomplete",
        }
    }
}

/// The keys in the Secret `name`; makes it with fresh random keys if there is none.
///
/// # Errors
/// The API server fails, or the Secret lacks a key.
pub async fn ensure_store_keys(
    client: Client,
    namespace: &str,
    name: &str,
) -> Result<StoreKeys, SecretError> {
    let api: Api<Secret> = Api::namespaced(client, namespace);
    loop {
        if let Some(secret) = within(name, api.get_opt(name)).await? {
            return read(&secret, name);
        }
        match within(name, api.create(&PostParams::default(), &fresh(name))).await {
            Ok(secret) => {
                tracing::info!(secret = name, "made the artifact store's keys");
                return read(&secret, name);
            }
            // Somebody was quicker: use theirs.
            Err(SecretError::Api { source, .. }) if already_exists(&source) => {}
            Err(error) => return Err(error),
        }
    }
}

async fn within<T>(
    name: &str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, SecretError> {
    let answer = timeout(TIMEOUT, call)
        .await
        .map_err(|_| SecretError::Timeout(name.to_owned()))?;
    answer.map_err(|source| SecretError::Api {
        name: name.to_owned(),
        source: Box::new(source),
    })
}

fn already_exists(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.is_already_exists())
}

fn fresh(name: &str) -> Secret {
    let data = [(ACCESS_KEY, random(20)), (SECRET_KEY, random(40))];
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([
                ("app.kubernetes.io/name".into(), "provost".into()),
                ("app.kubernetes.io/component".into(), "store".into()),
                (
                    "app.kubernetes.io/managed-by".into(),
                    "provost-operator".into(),
                ),
            ])),
            ..ObjectMeta::default()
        },
        data: Some(
            data.into_iter()
                .map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes())))
                .collect(),
        ),
        ..Secret::default()
    }
}

/// Letters and digits from the operating system's generator.
fn random(length: usize) -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(length)
        .map(char::from)
        .collect()
}

fn read(secret: &Secret, name: &str) -> Result<StoreKeys, SecretError> {
    let value = |key: &'static str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key));
        let text = bytes
            .and_then(|bytes| std::str::from_utf8(&bytes.0).ok())
            .map(str::trim)
            .filter(|text| !text.is_empty());
        text.map(str::to_owned)
            .ok_or_else(|| SecretError::Incomplete {
                name: name.to_owned(),
                key,
            })
    };
    Ok(StoreKeys {
        access_key: value(ACCESS_KEY)?,
        secret_key: value(SECRET_KEY)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fresh_keys_read_back_and_differ() {
        let one = read(&fresh("s"), "s").unwrap();
        let two = read(&fresh("s"), "s").unwrap();
        assert_ne!(one, two);
        assert_eq!((one.access_key.len(), one.secret_key.len()), (20, 40));
    }

    #[test]
    fn a_missing_key_is_named_and_nothing_secret_is_printed() {
        let mut secret = fresh("s");
        secret.data.as_mut().unwrap().remove(SECRET_KEY);
        assert!(
            read(&secret, "s")
                .unwrap_err()
                .to_string()
                .contains("no key secret-key")
        );
        let keys = read(&fresh("s"), "s").unwrap();
        assert!(!format!("{keys:?}").contains(&keys.secret_key));
    }
}
