//! ProofRequest: a proof that a user wants.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Mode, Program, ProofRequestStatus, Stdin};

/// What to prove, how, and within which limits. It cannot be changed once created, except for suspend,
/// cancel, priority, deadline and ttlSecondsAfterFinished; create another ProofRequest instead.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "provost.dev",
    version = "v1alpha1",
    kind = "ProofRequest",
    plural = "proofrequests",
    shortname = "proofs",
    shortname = "proof",
    category = "proving",
    namespaced,
    cel,
    status = "ProofRequestStatus",
    derive = "PartialEq",
    doc = "A proof that you want. Provost executes the program, proves the execution on the workers of the cluster's pools, verifies the proof and keeps it for download until this object is deleted.",
    label("app.kubernetes.io/name", "provost"),
    label("app.kubernetes.io/part-of", "provost"),
    selectable = ".spec.mode",
    selectable = ".status.programId",
    selectable = ".status.failure.class",
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", description = "What is made: an execution, or a proof of this kind"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.conditions[?(@.type==\"Succeeded\")].reason", description = "Reason of the condition Succeeded"),
    printcolumn(name = "Progress", type_ = "string", json_path = ".status.progress", description = "Tasks done of tasks known so far"),
    printcolumn(name = "Cycles", type_ = "integer", format = "int64", json_path = ".status.execution.cycles", description = "RISC-V cycles that the program executed"),
    printcolumn(name = "Duration", type_ = "string", json_path = ".status.duration", description = "From the start of the work to its end, or until now"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Time since the request was created"),
    printcolumn(name = "Program", type_ = "string", json_path = ".status.programId", description = "Id of the program in the artifact store", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Succeeded\")].message", description = "Message of the condition Succeeded", priority = 1),
    validation = Rule::new("self.metadata.name.size() <= 63")
        .message("the name may have at most 63 characters, since it is used as a label").field_path(".metadata.name")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.program == oldSelf.program")
        .message("program cannot be changed: create another ProofRequest")
        .field_path(".program").reason(Reason::FieldValueForbidden),
    validation = Rule::new("has(self.stdin) == has(oldSelf.stdin) && (!has(self.stdin) || self.stdin == oldSelf.stdin)")
        .message("stdin cannot be changed: create another ProofRequest")
        .field_path(".stdin").reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.mode == oldSelf.mode")
        .message("mode cannot be changed: create another ProofRequest")
        .field_path(".mode").reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.limits == oldSelf.limits")
        .message("limits cannot be changed: create another ProofRequest")
        .field_path(".limits").reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.limits.gas) || self.mode == 'Execute'")
        .message("limits.gas is for mode Execute, since SP1 counts no gas where it proves: set limits.cycles instead")
        .field_path(".limits.gas"),
    validation = Rule::new("!oldSelf.cancel || self.cancel")
        .message("cancel cannot be taken back: create another ProofRequest")
        .field_path(".cancel").reason(Reason::FieldValueForbidden),
    validation = Rule::new("(has(self.program.inline) ? self.program.inline.size() : 0) + (has(self.stdin) && has(self.stdin.entries) ? self.stdin.entries.map(e, has(e.base64) ? e.base64.size() : 0).sum() : 0) <= 1048576 || (has(self.program.inline) && self.program.inline.size() > 1048576)")
        .message("the inline program and the base64 entries of stdin may have at most 1048576 characters together, or the object would not fit into etcd: upload one of them and set its artifact (kubectl proof submit does)")
)]
pub struct ProofRequestSpec {
    /// The program to prove, a RISC-V ELF for SP1: set exactly one of artifact, inline, configMap. Cannot be
    /// changed.
    pub program: Program,
    /// What the program reads: set exactly one of entries, artifact, configMap. Default: nothing to read.
    /// Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Stdin>,
    /// What to make. Execute runs the program and reports cycles, gas, exit code and the hash of the public
    /// values, without a proof. Core proves each shard: the quickest proof, as large as the execution is long.
    /// Compressed folds the shards into one proof of constant size. Groth16 and Plonk wrap that into a
    /// proof for verification on a chain, which no worker does yet: such a request fails at once. Default: Compressed.
    /// Cannot be changed.
    #[serde(default)]
    pub mode: Mode,
    /// Bounds on what this proof may use. Cannot be changed.
    #[serde(default)]
    pub limits: Limits,
    /// Order among the proofs of the cluster, from -1000 to 1000: tasks of a higher priority are placed first;
    /// running tasks are not stopped for it. Default: 0.
    #[serde(default)]
    #[schemars(range(min = -1000, max = 1000))]
    pub priority: i32,
    /// While true, the proof is not started; one that has started is stopped, and starts from the beginning when
    /// this is false again. Default: false.
    #[serde(default)]
    pub suspend: bool,
    /// Set to true to stop the proof for good: it ends as Cancelled, and what its tasks had made is removed; its
    /// program and its stdin stay until this object is deleted. Cannot be taken back. No effect on a proof that has
    /// ended. Default: false.
    #[serde(default)]
    pub cancel: bool,
    /// Time (RFC 3339, for example 2027-01-31T12:00:00Z) at which the proof ends as Expired unless it has ended
    /// before. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 35),
        regex(
            pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
        )
    )]
    #[x_kube(
        validation = Rule::new("self < timestamp('9000-01-01T00:00:00Z')")
            .message("no such time can be waited for: leave the deadline out for none")
    )]
    pub deadline: Option<Time>,
    /// Seconds after its end at which this object is deleted, and its proof with it. 0 deletes it at once.
    /// Default: it is kept until you delete it. The proof is kept as long as the artifact store is: the store that
    /// comes with Provost loses it with its pod, unless it has a volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 315360000))]
    pub ttl_seconds_after_finished: Option<i64>,
}

/// Bounds on what a proof may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Most RISC-V cycles that the program may execute; the proof fails as ProgramFault when it executes more.
    /// Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub cycles: Option<i64>,
    /// Most SP1 prover gas that the program may use; the request ends as ProgramFault when it used more. Mode
    /// Execute only: SP1 counts no gas where it proves; set cycles there. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub gas: Option<i64>,
    /// Most tasks of this proof that run at the same time, from 1 to 10000. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub parallelism: Option<i32>,
    /// How many times a task of this proof is tried again after a failure of its own, from 0 to 100. Loss of a
    /// worker does not count. Default: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub backoff: Option<i32>,
}
