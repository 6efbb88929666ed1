//! From the wire to SP1's task requests.

use provost_proto::worker as proto;
use sp1_prover::worker::{ProofId, RawTaskRequest, RequesterId, TaskContext, TaskId};
use sp1_prover_types::Artifact;

/// SP1's form of a task. What it creates names it as the parent: so the coordinator can tell a creator of an earlier run.
pub(super) fn request(task_id: &str, data: proto::TaskData) -> RawTaskRequest {
    RawTaskRequest {
        inputs: data.inputs.into_iter().map(Artifact).collect(),
        outputs: data.outputs.into_iter().map(Artifact).collect(),
        context: TaskContext {
            proof_id: ProofId::new(data.proof_id),
            parent_id: Some(TaskId::new(task_id)),
            parent_context: None,
            requester_id: RequesterId::new(data.requester),
        },
    }
}
