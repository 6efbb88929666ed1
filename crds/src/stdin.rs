//! What the program reads.

use base64::{DecodeError, Engine, engine::general_purpose::STANDARD};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{ConfigMapKey, schema};

/// What the program reads. Absent means that it reads nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = Rule::new("[has(self.entries), has(self.artifact), has(self.configMap)].filter(x, x).size() == 1")
        .message("set exactly one of entries, artifact, configMap")
)]
pub struct Stdin {
    /// The hints that the program reads, in this order; at most 100. Each entry is one read of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "atomic"))]
    pub entries: Option<Vec<StdinEntry>>,
    /// Id of a complete SP1Stdin that is already in the artifact store, as an upload returns it. An upload that no
    /// request names is removed after an hour, one that was named with the last request that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::artifact_id")]
    pub artifact: Option<String>,
    /// A key of a ConfigMap in the same namespace that holds a complete SP1Stdin in bincode, under
    /// binaryData or data. Read once, when the proof is accepted, and again only if the artifact store has lost it
    /// since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapKey>,
}

/// One hint: what a single read of the program returns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
// The rules about `base64` are here, for an answer to a rule of a string repeats the string. The first is written
// for its cost: the API server charges a regular expression by its length, for 100 entries of four bytes per
// character.
#[x_kube(
    cel,
    validation = Rule::new("[has(self.u32), has(self.u64), has(self.base64)].filter(x, x).size() == 1")
        .message("set exactly one of u32, u64, base64"),
    validation = Rule::new("!has(self.base64) || (self.base64.size() % 4 == 0 && !self.base64.matches('[^\\\\w+/=]|_'))")
        .message("must be standard base64 with padding and without line breaks")
        .field_path(".base64"),
    validation = Rule::new("!has(self.base64) || !self.base64.contains('=') || self.base64.indexOf('=') >= self.base64.size() - 2")
        .message("base64 may have = only as its last one or two characters")
        .field_path(".base64")
)]
pub struct StdinEntry {
    /// An unsigned number of 32 bits; the program reads 4 bytes, little endian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4294967295u32))]
    pub u32: Option<u32>,
    /// An unsigned number; the program reads 8 bytes, little endian. At most 9223372036854775807, the
    /// largest integer of the Kubernetes API; write a larger one as base64 of its 8 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub u64: Option<u64>,
    /// Bytes, in standard base64 with padding and without line breaks, at most 65536 characters (48 KiB of
    /// bytes). For more upload the input and name it as stdin.artifact (`kubectl proof submit` does).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub base64: Option<String>,
}

impl StdinEntry {
    /// The bytes of this hint, as SP1Stdin holds them. An entry that sets nothing, which the API server
    /// refuses, is empty.
    ///
    /// # Errors
    /// The `base64` is not base64.
    pub fn bytes(&self) -> Result<Vec<u8>, DecodeError> {
        if let Some(value) = self.u32 {
            Ok(value.to_le_bytes().to_vec())
        } else if let Some(value) = self.u64 {
            Ok(value.to_le_bytes().to_vec())
        } else {
            STANDARD.decode(self.base64.as_deref().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_turn_into_little_endian_bytes() {
        let entry = |json: &str| serde_json::from_str::<StdinEntry>(json).unwrap();
        assert_eq!(entry(r#"{"u32": 258}"#).bytes().unwrap(), [2, 1, 0, 0]);
        assert_eq!(
            entry(r#"{"u64": 258}"#).bytes().unwrap(),
            [2, 1, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(entry(r#"{"base64": "aGk="}"#).bytes().unwrap(), b"hi");
        assert!(entry(r#"{"base64": "a==="}"#).bytes().is_err());
    }
}
