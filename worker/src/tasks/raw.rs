//! From the wire to SP1's task requests.

use provost_proto::worker as proto;
use sp1_prover::worker::{ProofId, RawTaskRequest, RequesterId, TaskContext, TaskId};
use sp1_prover_types::Artifact;

/// SP1's form of a task.
pub(super) fn request(data: proto::TaskData) -> RawTaskRequest {
    RawTaskRequest {
        inputs: data.inputs.into_iter().map(Artifact).collect(),
        outputs: data.outputs.into_iter().map(Artifact).collect(),
        context: TaskContext {
            proof_id: ProofId::new(data.proof_id),
            parent_id: data.parent_id.map(TaskId::new),
            parent_context: None,
            requester_id: RequesterId::new(data.requester),
        },
    }
}
