//! Step 1: reads the ConfigMaps that a spec refers to.

use bytes::Bytes;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::Api;
use provost_crds::{ConfigMapKey, ProofRequestSpec, reasons};

use crate::api::{ApiError, within};

/// What the ConfigMaps hold, where the spec names some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Referenced {
    /// Bytes behind `spec.program.configMap`.
    pub program: Option<Bytes>,
    /// Bytes behind `spec.stdin.configMap`.
    pub stdin: Option<Bytes>,
}

/// Why a reference could not be followed.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is no such ConfigMap (yet).
    #[error("{field}: there is no ConfigMap {name} in namespace {namespace}: create it")]
    NoConfigMap {
        /// The field that names it.
        field: &'static str,
        /// Its name.
        name: String,
        /// The request's namespace.
        namespace: String,
    },
    /// The ConfigMap lacks the key.
    #[error(
        "{field}: ConfigMap {name} has no key {key} under binaryData; kubectl create configmap NAME --from-file={key}=FILE puts binary files there"
    )]
    NoKey {
        /// The field that names it.
        field: &'static str,
        /// Name of the ConfigMap.
        name: String,
        /// The missing key.
        key: String,
    },
    /// The API server failed.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl ResolveError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoConfigMap { .. } => reasons::CONFIG_MAP_NOT_FOUND,
            Self::NoKey { .. } => reasons::CONFIG_MAP_KEY_NOT_FOUND,
            Self::Api(error) => error.reason(),
        }
    }

    /// Whether only another spec would help. A ConfigMap may still be created or completed.
    pub fn is_fault(&self) -> bool {
        false
    }
}

/// Follows the references of `spec` in `namespace`.
///
/// # Errors
/// A ConfigMap or key is not there, or the API server fails.
pub async fn resolve(
    client: &Client,
    namespace: &str,
    spec: &ProofRequestSpec,
) -> Result<Referenced, ResolveError> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let mut referenced = Referenced::default();
    if let Some(key) = &spec.program.config_map {
        referenced.program = Some(read(&maps, "spec.program.configMap", namespace, key).await?);
    }
    if let Some(key) = spec
        .stdin
        .as_ref()
        .and_then(|stdin| stdin.config_map.as_ref())
    {
        referenced.stdin = Some(read(&maps, "spec.stdin.configMap", namespace, key).await?);
    }
    Ok(referenced)
}

async fn read(
    maps: &Api<ConfigMap>,
    field: &'static str,
    namespace: &str,
    at: &ConfigMapKey,
) -> Result<Bytes, ResolveError> {
    let Some(map) = within("read a ConfigMap", maps.get_opt(&at.name)).await? else {
        return Err(ResolveError::NoConfigMap {
            field,
            name: at.name.clone(),
            namespace: namespace.to_owned(),
        });
    };
    match map.binary_data.and_then(|mut data| data.remove(&at.key)) {
        Some(bytes) => Ok(Bytes::from(bytes.0)),
        None => Err(ResolveError::NoKey {
            field,
            name: at.name.clone(),
            key: at.key.clone(),
        }),
    }
}
