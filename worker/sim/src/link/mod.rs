//! The worker's side of the coordinator's contract: all that a simulated worker says and hears passes a [`Link`].
//!
//! Behaviour is the real worker's: calls are repeated while the coordinator is away, streams are opened anew, results come once. Below it stands the
//! unary door ([`calls`], [`pool`]); a task only ever sees the link.

mod beat;
mod calls;
mod messages;
mod pool;
mod results;
mod session;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use provost_artifacts::id;
use provost_proto::headers;
use provost_proto::worker::{self as proto, TaskStatus, TaskType};
use tonic::{Request, Status};

use crate::body::Body;
use crate::failure::Failure;
use crate::faults::Call;
use crate::random::unique;

pub(crate) use beat::{Beating, Sessions, start as start_beating};
pub(crate) use calls::forgive_unknown;
pub(crate) use messages::Messages;
pub(crate) use pool::{Pool, Stub};
pub(crate) use results::{Asker, Results};
pub(crate) use session::{Order, Registration, Session};

/// A task to create.
#[derive(Debug)]
pub(crate) struct NewTask<'a> {
    pub(crate) kind: TaskType,
    pub(crate) proof: &'a str,
    pub(crate) parent: Option<&'a str>,
    pub(crate) requester: &'a str,
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
    pub(crate) metadata: String,
}

/// One registration's way to the coordinator. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    calls: calls::Calls,
    worker_id: Arc<str>,
}

impl Link {
    /// A link that speaks as `<pod>/<role>`.
    pub(crate) fn new(stub: Stub, body: Arc<Body>, role: &str) -> Self {
        let worker_id = format!("{}/{role}", body.name).into();
        Self {
            calls: calls::Calls::new(stub, body),
            worker_id,
        }
    }

    /// The id that it speaks as.
    pub(crate) fn worker_id(&self) -> &str {
        &self.worker_id
    }

    /// The worker that it belongs to.
    pub(crate) fn body(&self) -> &Arc<Body> {
        self.calls.body()
    }

    /// Creates a task under an id that is chosen here, so that the call may be repeated.
    pub(crate) async fn create_task(&self, new: NewTask<'_>) -> Result<String, Status> {
        let task_id = id::mint_task(now_ms(), unique());
        let header = task_id
            .parse::<tonic::metadata::MetadataValue<_>>()
            .map_err(|_| Status::internal("a task id is no header value"))?;
        let message = proto::CreateTaskRequest {
            worker_id: self.worker_id.to_string(),
            data: Some(proto::TaskData {
                task_type: new.kind.into(),
                inputs: new.inputs,
                outputs: new.outputs,
                metadata: new.metadata,
                proof_id: new.proof.to_owned(),
                parent_id: new.parent.map(str::to_owned),
                weight: 0,
                requester: new.requester.to_owned(),
            }),
        };
        let answer = self.calls.repeat(Call::CreateTask, |mut stub| {
            let mut request = Request::new(message.clone());
            request
                .metadata_mut()
                .insert(headers::TASK_ID, header.clone());
            async move { stub.create_task(request).await }
        });
        Ok(answer.await?.into_inner().task_id)
    }

    /// Reports a finished task.
    pub(crate) async fn complete_task(&self, proof: &str, task: &str) -> Result<(), Status> {
        let message = proto::CompleteTaskRequest {
            worker_id: self.worker_id.to_string(),
            proof_id: proof.to_owned(),
            task_id: task.to_owned(),
            metadata: r#"{"gpu_ms":null}"#.to_owned(),
        };
        let answer = self.calls.repeat(Call::CompleteTask, |mut stub| {
            let message = message.clone();
            async move { stub.complete_task(message).await }
        });
        forgive_unknown(answer.await)
    }

    /// Reports a failed task.
    pub(crate) async fn fail_task(
        &self,
        proof: &str,
        task: &str,
        failure: &Failure,
    ) -> Result<(), Status> {
        let message = proto::FailTaskRequest {
            worker_id: self.worker_id.to_string(),
            proof_id: proof.to_owned(),
            task_id: task.to_owned(),
            retryable: failure.retryable,
        };
        let header = failure
            .to_header()
            .parse::<tonic::metadata::MetadataValue<_>>();
        let answer = self.calls.repeat(Call::FailTask, |mut stub| {
            let mut request = Request::new(message.clone());
            if let Ok(header) = &header {
                let metadata = request.metadata_mut();
                metadata.insert(headers::FAILURE, header.clone());
            }
            async move { stub.fail_task(request).await }
        });
        forgive_unknown(answer.await)
    }

    /// Says that a proof is made. Answered once that is stored.
    pub(crate) async fn complete_proof(
        &self,
        proof: &str,
        extra_data: String,
    ) -> Result<(), Status> {
        let message = proto::CompleteProofRequest {
            worker_id: self.worker_id.to_string(),
            proof_id: proof.to_owned(),
            extra_data: Some(extra_data),
        };
        let answer = self.calls.repeat(Call::CompleteProof, |mut stub| {
            let message = message.clone();
            async move { stub.complete_proof(message).await }
        });
        forgive_unknown(answer.await)
    }

    /// Results of tasks of a proof.
    pub(crate) fn results(&self, proof: &str) -> (Asker, Results) {
        Results::open(self.calls.clone(), proof.to_owned())
    }

    /// Whether a task of a proof succeeds, once it has ended.
    pub(crate) async fn succeeds(&self, proof: &str, task: &str) -> bool {
        let (asker, mut results) = self.results(proof);
        asker.want(task);
        matches!(results.next().await, Some((_, TaskStatus::Succeeded)))
    }

    /// The messages of a task, from the first on.
    pub(crate) fn messages(&self, task: &str) -> Messages {
        Messages::open(
            self.calls.clone(),
            self.worker_id.to_string(),
            task.to_owned(),
        )
    }

    /// Appends a message to a task's channel.
    pub(crate) async fn send_message(&self, task: &str, payload: Vec<u8>) -> Result<(), Status> {
        let message = proto::SendTaskMessageRequest {
            worker_id: self.worker_id.to_string(),
            task_id: task.to_owned(),
            payload: payload.into(),
        };
        let answer = self.calls.repeat(Call::SendTaskMessage, |mut stub| {
            let message = message.clone();
            async move { stub.send_task_message(message).await }
        });
        answer.await.map(drop)
    }

    async fn open(
        &self,
        registration: &Registration,
    ) -> Result<tonic::Streaming<proto::ServerMessage>, Status> {
        let message = proto::OpenRequest {
            worker_id: self.worker_id.to_string(),
            worker_type: registration.worker_type.into(),
            max_weight: registration.max_weight,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            image_tag: registration.image_tag.clone(),
            ..Default::default()
        };
        let answer = self.calls.once(Call::Open, |mut stub| {
            let message = message.clone();
            async move { stub.open(message).await }
        });
        Ok(answer.await?.into_inner())
    }

    async fn close(&self) -> Result<(), Status> {
        let worker_id = self.worker_id.to_string();
        let answer = self.calls.once(Call::Close, |mut stub| {
            let worker_id = worker_id.clone();
            async move { stub.close(proto::CloseRequest { worker_id }).await }
        });
        answer.await.map(drop)
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
