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
        "{field}: ConfigMap {name} has no key {key}, neither under binaryData nor under data: kubectl create configmap {name} --from-file={key}=FILE makes one"
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
    value(map, &at.key).ok_or_else(|| ResolveError::NoKey {
        field,
        name: at.name.clone(),
        key: at.key.clone(),
    })
}

/// The bytes under `key`. kubectl puts a file whose bytes happen to be valid UTF-8 under `data`, as they are.
fn value(map: ConfigMap, key: &str) -> Option<Bytes> {
    let binary = map.binary_data.unwrap_or_default().remove(key);
    let text = map.data.unwrap_or_default().remove(key);
    let bytes = binary.map(|bytes| bytes.0);
    bytes.or(text.map(String::into_bytes)).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn map() -> ConfigMap {
        let map = json!({"binaryData": {"bytes": "/wA="}, "data": {"text": "\u{0}hé"}});
        serde_json::from_value(map).unwrap()
    }

    #[test]
    fn a_file_is_found_wherever_kubectl_puts_it() {
        assert_eq!(value(map(), "bytes").unwrap(), [0xff_u8, 0].as_slice());
        assert_eq!(value(map(), "text").unwrap(), "\u{0}hé");
        assert_eq!(value(map(), "other"), None);
        assert_eq!(value(ConfigMap::default(), "text"), None);
    }

    #[test]
    fn a_missing_key_is_named_with_a_way_to_make_it() {
        let error = ResolveError::NoKey {
            field: "spec.stdin.configMap",
            name: "inputs".into(),
            key: "block-17".into(),
        };
        assert_eq!(
            error.to_string(),
            "spec.stdin.configMap: ConfigMap inputs has no key block-17, neither under binaryData nor under data: \
             kubectl create configmap inputs --from-file=block-17=FILE makes one"
        );
    }
}
