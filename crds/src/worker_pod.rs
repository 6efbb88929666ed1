//! The part of a pod that a WorkerPool lets its user choose.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// Resources of each worker container, as in a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = Rule::new("!has(self.requests) || !has(self.limits) || self.requests.all(k, !(k in self.limits) || !isQuantity(string(self.requests[k])) || !isQuantity(string(self.limits[k])) || quantity(string(self.requests[k])).compareTo(quantity(string(self.limits[k]))) <= 0)")
        .message("a request may not be above the limit of the same resource")
        .field_path(".requests")
)]
pub struct Resources {
    /// Most that a worker may use, by resource name, for example memory: 24Gi or nvidia.com/gpu: 1. The memory
    /// limit also bounds /dev/shm and, unless capacity is set, gives the worker's capacity. At most 16.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    #[x_kube(
        validation = Rule::new("self.all(k, isQuantity(string(self[k])))")
            .message("every value must be a quantity, for example 4, 500m or 24Gi"),
        validation = Rule::new("self.all(k, !k.startsWith('nvidia.com/') || string(self[k]) in ['0', '1'])")
            .message("a worker proves on one GPU: ask for 1, and for more workers by replicas"),
        validation = Rule::new("self.filter(k, k.startsWith('nvidia.com/') && string(self[k]) != '0').size() <= 1")
            .message("a worker proves on one GPU: ask for one of these resources of NVIDIA's")
    )]
    pub limits: BTreeMap<String, Quantity>,
    /// What the scheduler sets aside for a worker, by resource name. Default: the limits. At most 16.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    #[x_kube(
        validation = Rule::new("self.all(k, isQuantity(string(self[k])))")
            .message("every value must be a quantity, for example 4, 500m or 24Gi")
    )]
    pub requests: BTreeMap<String, Quantity>,
}

/// A claim to a device, made anew for each worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(cel)]
pub struct DeviceClaim {
    /// Name of the claim among the worker's.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')")
            .message("not the name of a claim: use lower-case letters, digits and '-', for example gpu")
    )]
    pub name: String,
    /// Name of a ResourceClaimTemplate in the pool's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub resource_claim_template_name: String,
}

/// One environment variable of the workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(cel)]
pub struct EnvVar {
    /// Name of the variable. Names that the operator sets itself (PROVOST_..., AWS_..., POD_NAME,
    /// POD_UID, POD_NAMESPACE) are refused.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z_][A-Za-z0-9_]*$')")
            .message("not the name of an environment variable: use letters, digits and '_', not starting with a digit"),
        validation = Rule::new("!self.startsWith('PROVOST_') && !self.startsWith('AWS_') && self != 'POD_NAME' && self != 'POD_UID' && self != 'POD_NAMESPACE'")
            .message("the operator itself sets PROVOST_..., AWS_..., POD_NAME, POD_UID, POD_NAMESPACE").reason(Reason::FieldValueForbidden)
    )]
    pub name: String,
    /// Value of the variable, taken literally. Default: empty.
    #[serde(default)]
    #[schemars(length(max = 4096))]
    pub value: String,
}
