//! The program to prove.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// The program to prove: a RISC-V ELF for SP1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
// The rules about `inline` are here, for an answer to a rule of a string repeats the string.
#[x_kube(
    cel,
    validation = Rule::new("[has(self.artifact), has(self.inline), has(self.configMap)].filter(x, x).size() == 1")
        .message("set exactly one of artifact, inline, configMap"),
    validation = Rule::new("!has(self.inline) || self.inline.size() <= 1048576")
        .message("an inline program may have at most 1048576 characters of base64, or the object would not fit into etcd: use configMap, or upload the ELF and set artifact (kubectl proof submit does)")
        .field_path(".inline"),
    validation = Rule::new("!has(self.inline) || self.inline.size() > 1048576 || (self.inline.size() % 4 == 0 && self.inline.matches('^[A-Za-z0-9+/]+=*$'))")
        .message("an inline program must be standard base64 with padding and without line breaks (base64 -w0 FILE)")
        .field_path(".inline")
)]
pub struct Program {
    /// Id of a program that is already in the artifact store, as an upload returns it
    /// (`program_` and the SHA-256 of the ELF in hex). An upload that no request names is removed after an hour,
    /// one that was named with the last request that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::artifact_id")]
    pub artifact: Option<String>,
    /// The ELF itself, in standard base64 with padding and without line breaks, at most 1048576
    /// characters (768 KiB of ELF), so that the object stays below the 1.5 MiB that etcd takes. For a bigger
    /// program use configMap, or upload it and name it as artifact (`kubectl proof submit` does). Above
    /// about 180 KiB of ELF use `kubectl apply --server-side` or `kubectl create`: plain `kubectl apply`
    /// repeats the object in an annotation of at most 256 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 4))]
    pub inline: Option<String>,
    /// A key of a ConfigMap in the same namespace that holds the ELF, under binaryData or data. Read once, when
    /// the proof is accepted, and again only if the artifact store has lost it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapKey>,
}

/// A key of a ConfigMap in the namespace of the object that names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(cel)]
pub struct ConfigMapKey {
    /// Name of the ConfigMap, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')")
            .message("not the name of a ConfigMap: use lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each part")
    )]
    pub name: String,
    /// Key under the ConfigMap's binaryData or data.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')")
            .message("not a key of a ConfigMap: use letters, digits, '-', '_' and '.'")
    )]
    pub key: String,
}
