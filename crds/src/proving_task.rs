//! ProvingTask: one unit of work of a proof.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

use crate::{FailedAttempts, FailureClass, ShardSize};

/// What the task is. Written once, by the operator.
#[derive(
    CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema,
)]
#[kube(
    group = "provost.dev",
    version = "v1alpha1",
    kind = "ProvingTask",
    plural = "provingtasks",
    shortname = "ptask",
    category = "proving",
    namespaced,
    cel,
    status = "ProvingTaskStatus",
    derive = "PartialEq",
    doc = "One unit of work of a proof. The operator creates these, as children of their ProofRequest; look at them to see what runs where. Deleting one cancels the task and queues it again.",
    label("app.kubernetes.io/name", "provost"),
    label("app.kubernetes.io/part-of", "provost"),
    selectable = ".spec.proof",
    selectable = ".spec.taskType",
    selectable = ".status.state",
    selectable = ".status.worker",
    printcolumn(
        name = "Proof",
        type_ = "string",
        json_path = ".spec.proof",
        description = "ProofRequest that the task belongs to"
    ),
    printcolumn(
        name = "Type",
        type_ = "string",
        json_path = ".spec.taskType",
        description = "Type of the task"
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "Pending, Running, Succeeded or Failed"
    ),
    printcolumn(
        name = "Worker",
        type_ = "string",
        json_path = ".status.worker",
        description = "Worker that has the task"
    ),
    printcolumn(
        name = "Attempts",
        type_ = "integer",
        format = "int32",
        json_path = ".status.attempts",
        description = "Times that a worker was given the task"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the task was recorded"
    ),
    printcolumn(
        name = "Weight",
        type_ = "integer",
        format = "int64",
        json_path = ".spec.weight",
        description = "Memory that the task is placed by, GiB",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.message",
        description = "What went wrong last",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self == oldSelf")
        .message("the spec of a ProvingTask cannot be changed").reason(Reason::FieldValueForbidden)
)]
pub struct ProvingTaskSpec {
    /// Name of the ProofRequest that the task belongs to, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub proof: String,
    /// Id of the task between coordinator and workers.
    #[schemars(length(min = 1, max = 253))]
    pub task_id: String,
    /// Type of the task, for example Controller or ProveShard.
    #[schemars(length(min = 1, max = 63))]
    pub task_type: String,
    /// Memory that the task is placed by, in GiB: a worker takes tasks up to its capacity.
    #[schemars(range(min = 0, max = 1000000))]
    pub weight: u32,
    /// Whether this is the task that stands for the whole proof: it creates all others. Default: false.
    #[serde(default)]
    pub root: bool,
    /// Run of the proof that the task belongs to, counted from 0: a proof whose first task is lost begins again. Default: 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2147483647))]
    pub run: u32,
    /// Attempts that failed in earlier runs of the proof, by type of task. The next leader goes on counting from there: a task that
    /// breaks its workers does not break them for ever. Only on the task that stands for the whole proof.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub failed_attempts: BTreeMap<String, FailedAttempts>,
    /// How large the shards of this run of the proof are. Only on the task that stands for the whole proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_size: Option<ShardSize>,
}

/// How the task stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProvingTaskStatus {
    /// Pending: waits for a worker. Running: a worker has it. Succeeded, Failed: final.
    #[serde(default)]
    pub state: TaskState,
    /// Worker that has the task, or had it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub worker: Option<String>,
    /// Times that a worker was given the task.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2147483647))]
    pub attempts: u32,
    /// Class of the last failure: Preempted, NodeLost, OutOfMemory, StoreUnavailable, Transient, Timeout,
    /// ProgramFault, InvalidProof or Bug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_class: Option<FailureClass>,
    /// What went wrong last, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
    /// When the worker was given the task, last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When the task became final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
}

/// How a task stands.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum TaskState {
    /// Waits for a worker.
    #[default]
    Pending,
    /// A worker has it.
    Running,
    /// Done.
    Succeeded,
    /// Failed for good.
    Failed,
}

impl TaskState {
    /// The name, as in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
