//! WorkerPool: a pool of worker pods.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::{
    api::core::v1::Toleration,
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DeviceClaim, EnvVar, Resources, ShardSize, conditions, schema};

/// How many workers, of which class, on which nodes.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "provost.dev",
    version = "v1alpha1",
    kind = "WorkerPool",
    plural = "workerpools",
    shortname = "wpool",
    category = "proving",
    namespaced,
    cel,
    status = "WorkerPoolStatus",
    derive = "PartialEq",
    doc = "A pool of worker pods on one kind of node. The operator creates the pods and replaces those that end; `kubectl scale wpool NAME --replicas=N` changes their number.",
    label("app.kubernetes.io/name", "provost"),
    label("app.kubernetes.io/part-of", "provost"),
    scale(spec_replicas_path = ".spec.replicas", status_replicas_path = ".status.replicas", label_selector_path = ".status.selector"),
    selectable = ".spec.class",
    printcolumn(name = "Class", type_ = "string", json_path = ".spec.class", description = "What the workers do"),
    printcolumn(name = "Desired", type_ = "integer", format = "int32", json_path = ".spec.replicas", description = "Workers asked for"),
    printcolumn(name = "Ready", type_ = "integer", format = "int32", json_path = ".status.readyReplicas", description = "Workers that take tasks"),
    printcolumn(name = "Roles", type_ = "string", json_path = ".status.roles", description = "Ready workers by role"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Time since the pool was created"),
    printcolumn(name = "Spot", type_ = "boolean", json_path = ".spec.spot", description = "Whether the nodes may be taken away at short notice", priority = 1),
    printcolumn(name = "Devices", type_ = "string", json_path = ".status.devices", description = "GPUs of ready workers by kind", priority = 1),
    printcolumn(name = "Shards", type_ = "string", json_path = ".status.shardSize", description = "Shards that its GPUs take", priority = 1),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", description = "Image of the workers, if not the operator's default", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", description = "Message of the condition Ready", priority = 1),
    validation = Rule::new("self.metadata.name.size() <= 50")
        .message("the name may have at most 50 characters, since the names of the pods begin with it").field_path(".metadata.name")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.class != 'CPU' || ((!has(self.resourceClaims) || self.resourceClaims.size() == 0) && (!has(self.resources) || !has(self.resources.limits) || !self.resources.limits.exists(k, k.startsWith('nvidia.com/') && string(self.resources.limits[k]) != '0')))")
        .message("workers of class CPU use no GPU: use class GPU or All, or leave out nvidia.com/... and resourceClaims")
        .field_path(".class"),
    validation = Rule::new("!has(self.resourceClaims) || self.resourceClaims.size() == 0 || !has(self.resources) || !has(self.resources.limits) || !self.resources.limits.exists(k, k.startsWith('nvidia.com/') && string(self.resources.limits[k]) != '0')")
        .message("a worker proves on one GPU: ask for it by a claim or by a limit, not by both")
        .field_path(".resourceClaims"),
    validation = Rule::new("!self.knownAnswer || self.class != 'CPU'")
        .message("knownAnswer is for workers that prove: leave it out, or use class GPU or All")
        .field_path(".knownAnswer")
)]
pub struct WorkerPoolSpec {
    /// What the workers do. CPU: execute programs; needs 1 GiB at rest, and about 9 for each proof that it
    /// executes, and is ready in a second. GPU: prove. All: both in one process; executes at once, proves when its
    /// engine is built (7 GiB and about a minute on a CPU).
    pub class: PoolClass,
    /// Number of workers, from 0 to 1000. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,
    /// Image of the workers. Default: the one that the operator was installed with; where the pool asks for a GPU, the
    /// one for GPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Resources of each worker, as in a pod. Default: none, and the worker may use the whole node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Sum of the weights (GiB) of the tasks that a worker runs at the same time, from 1 to 1000000. Default: the
    /// memory limit less what the worker holds at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000000))]
    pub capacity: Option<u32>,
    /// Labels that a node must have to get workers, as in a pod. Besides these, kubernetes.io/arch: amd64 and
    /// kubernetes.io/os: linux are asked for, as Provost's images are built, unless the key is given here. At most 32.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::node_selector")]
    pub node_selector: BTreeMap<String, String>,
    /// Whether the pool's nodes may be taken away at short notice (spot, preemptible). What a whole proof hangs on, its Controller and its
    /// execution, and wraps for chains go to workers of other pools while those have room. Default: false.
    #[serde(default)]
    pub spot: bool,
    /// Taints that the workers tolerate, as in a pod. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::tolerations")]
    pub tolerations: Vec<Toleration>,
    /// RuntimeClass of the workers, where their nodes need one to hand out GPUs, for example nvidia. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
    /// The GPU that each worker gets by dynamic resource allocation, where nodes do not offer nvidia.com/gpu as a
    /// resource. A worker proves on one: at most 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    #[x_kube(
        validation = Rule::new("self.size() <= 1")
            .message("a worker proves on one GPU: leave one claim, and ask for more workers by replicas")
    )]
    pub resource_claims: Vec<DeviceClaim>,
    /// Environment variables of the workers, for settings of SP1. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub env: Vec<EnvVar>,
    /// Proving tasks that a worker runs at the same time, from 1 to 64. More need more memory. Default: chosen by
    /// the worker from its memory limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub prover_permits: Option<u32>,
    /// Whether a worker proves a small program, whose verifying key is known, before it takes tasks that prove. A
    /// worker that gets another key, or a proof that does not verify, ends with exit code 69 and is replaced. Not for
    /// class CPU. Default: false.
    #[serde(default)]
    pub known_answer: bool,
    /// Seconds that a worker gets to finish its tasks when its pod is deleted, from 0 to 86400. Default: 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub termination_grace_period_seconds: Option<i64>,
}

fn one() -> i32 {
    1
}

/// What the workers of a pool do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum PoolClass {
    /// Executes programs.
    #[serde(rename = "CPU")]
    Cpu,
    /// Proves.
    #[serde(rename = "GPU")]
    Gpu,
    /// Executes and proves in one process.
    All,
}

impl PoolClass {
    /// The name, as in the API and in the worker's `PROVOST_CLASS`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Gpu => "GPU",
            Self::All => "All",
        }
    }
}

impl fmt::Display for PoolClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How the pool stands. Written by the operator alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerPoolStatus {
    /// metadata.generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One condition, Ready: True when as many workers are ready as the pool asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Worker pods that exist.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub replicas: i32,
    /// Workers that take tasks.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub ready_replicas: i32,
    /// Label selector of the pool's pods, for the scale subresource.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub selector: String,
    /// Ready workers by role, for example execute 1, prove 1.
    #[serde(default)]
    #[schemars(length(max = 128))]
    pub roles: String,
    /// GPUs of ready workers by kind, for example NVIDIA L4 23 GiB 2.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub devices: String,
    /// The shards that the pool's GPUs take: of the smallest one that is ready, or was last. New proofs get shards of this size while the pool
    /// asks for workers, though none may be ready yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_size: Option<ShardSize>,
    /// Hash of all in the spec that decides which GPUs the pool gets, when shardSize was seen: it counts for no others.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub shard_size_for: String,
    /// Nodes that new workers stay away from for a while, since workers that asked for a GPU failed there again and again. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["node"])
    )]
    pub quarantined_nodes: Vec<QuarantinedNode>,
}

/// A node that new workers stay away from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuarantinedNode {
    /// Name of the node.
    #[schemars(length(min = 1, max = 253))]
    pub node: String,
    /// When it is tried again.
    pub until: Time,
    /// How many workers failed there, and how the last one did.
    #[schemars(length(max = 512))]
    pub message: String,
}

impl WorkerPoolSpec {
    /// The spec of a pool that says nothing else.
    pub fn new(class: PoolClass) -> Self {
        Self {
            class,
            replicas: one(),
            image: None,
            resources: None,
            capacity: None,
            node_selector: BTreeMap::new(),
            spot: false,
            tolerations: Vec::new(),
            runtime_class_name: None,
            resource_claims: Vec::new(),
            env: Vec::new(),
            prover_permits: None,
            known_answer: false,
            termination_grace_period_seconds: None,
        }
    }

    /// Whether each worker asks for a GPU: by a resource of NVIDIA's device plugin (nvidia.com/gpu, or a MIG slice such as
    /// nvidia.com/mig-3g.40gb), or by a claim.
    pub fn asks_for_gpu(&self) -> bool {
        let mut limits = self.resources.iter().flat_map(|r| &r.limits);
        !self.resource_claims.is_empty()
            || limits.any(|(name, value)| name.starts_with("nvidia.com/") && value.0 != "0")
    }
}

impl WorkerPool {
    /// The condition `Ready`, once the operator has seen the pool.
    pub fn ready_condition(&self) -> Option<&Condition> {
        conditions::find(&self.status.as_ref()?.conditions, conditions::READY)
    }
}
