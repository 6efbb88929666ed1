//! SP1's `WorkerClient` over gRPC: how a running task creates others, waits for them and passes messages.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use provost_artifacts::id;
use provost_proto::headers;
use provost_proto::worker as proto;
use sp1_prover::worker::{
    ProofId, RawTaskRequest, SubscriberBuilder, TaskId, TaskMetadata, WorkerClient,
};
use sp1_prover_types::{ProofRequestStatus, TaskType};
use tokio::sync::mpsc;
use tonic::{Code, Request, Status};

use super::channel::{Stub, repeat};
use super::{messages, subscriber};

/// A unary call that takes longer is repeated.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A cheap handle on the coordinator for one worker process.
#[derive(Clone)]
pub struct Client {
    stub: Stub,
    worker_id: String,
}

impl Client {
    /// A client that speaks as `worker_id`.
    pub fn new(stub: Stub, worker_id: impl Into<String>) -> Self {
        Self {
            stub,
            worker_id: worker_id.into(),
        }
    }

    /// The connection.
    pub fn stub(&self) -> Stub {
        self.stub.clone()
    }

    /// The id that this client speaks as.
    pub fn worker_id(&self) -> &str {
        &self.worker_id
    }

    /// The same connection, speaking as another registration of this process.
    pub fn speaking_as(&self, worker_id: impl Into<String>) -> Self {
        Self {
            stub: self.stub.clone(),
            worker_id: worker_id.into(),
        }
    }

    /// Reports a finished task. A task that the coordinator no longer knows is as good as reported.
    pub async fn task_completed(
        &self,
        proof_id: &str,
        task_id: &str,
        metadata: String,
    ) -> Result<(), Status> {
        let message = proto::CompleteTaskRequest {
            worker_id: self.worker_id.clone(),
            proof_id: proof_id.to_owned(),
            task_id: task_id.to_owned(),
            metadata,
        };
        let answer = repeat("CompleteTask", || {
            let (mut stub, message) = (self.stub.clone(), message.clone());
            async move { stub.complete_task(timed(message)).await }
        });
        forgive_unknown(answer.await)
    }

    /// Reports a failed task. `header` tells the class and the message.
    pub async fn task_failed(
        &self,
        proof_id: &str,
        task_id: &str,
        retryable: bool,
        header: &str,
    ) -> Result<(), Status> {
        let message = proto::FailTaskRequest {
            worker_id: self.worker_id.clone(),
            proof_id: proof_id.to_owned(),
            task_id: task_id.to_owned(),
            retryable,
        };
        let answer = repeat("FailTask", || {
            let mut stub = self.stub.clone();
            let mut request = timed(message.clone());
            if let Ok(value) = header.parse() {
                request.metadata_mut().insert(headers::FAILURE, value);
            }
            async move { stub.fail_task(request).await }
        });
        forgive_unknown(answer.await)
    }
}

/// A request with the deadline of a unary call.
fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

fn forgive_unknown<T>(answer: Result<T, Status>) -> Result<(), Status> {
    match answer {
        Ok(_) => Ok(()),
        Err(status) if status.code() == Code::NotFound => {
            tracing::debug!(%status, "the coordinator has forgotten what this is about");
            Ok(())
        }
        Err(status) => Err(status),
    }
}

impl WorkerClient for Client {
    async fn submit_task(&self, kind: TaskType, task: RawTaskRequest) -> anyhow::Result<TaskId> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let task_id = id::mint_task(u64::try_from(now.as_millis())?, crate::artifacts::random());
        let RawTaskRequest {
            inputs,
            outputs,
            context,
        } = task;
        let message = proto::CreateTaskRequest {
            worker_id: self.worker_id.clone(),
            data: Some(proto::TaskData {
                task_type: kind as i32,
                inputs: inputs
                    .into_iter()
                    .map(|artifact| artifact.to_id())
                    .collect(),
                outputs: outputs
                    .into_iter()
                    .map(|artifact| artifact.to_id())
                    .collect(),
                metadata: String::new(),
                proof_id: context.proof_id.to_string(),
                parent_id: context.parent_id.map(|id| id.to_string()),
                weight: 0,
                requester: context.requester_id.to_string(),
            }),
        };
        let header = task_id
            .parse()
            .map_err(|_| anyhow::anyhow!("task id {task_id} is no header value"))?;
        let answer = repeat("CreateTask", || {
            let mut stub = self.stub.clone();
            let mut request = timed(message.clone());
            request.metadata_mut().insert(
                headers::TASK_ID,
                tonic::metadata::MetadataValue::clone(&header),
            );
            async move { stub.create_task(request).await }
        })
        .await?;
        Ok(TaskId::new(answer.into_inner().task_id))
    }

    async fn complete_task(
        &self,
        proof_id: ProofId,
        task_id: TaskId,
        metadata: TaskMetadata,
    ) -> anyhow::Result<()> {
        let metadata = serde_json::to_string(&metadata)?;
        Ok(self
            .task_completed(&proof_id.to_string(), &task_id.to_string(), metadata)
            .await?)
    }

    async fn complete_proof(
        &self,
        proof_id: ProofId,
        task_id: Option<TaskId>,
        status: ProofRequestStatus,
        extra_data: impl Into<String> + Send,
    ) -> anyhow::Result<()> {
        let extra_data = Some(extra_data.into());
        if status == ProofRequestStatus::Completed {
            let message = proto::CompleteProofRequest {
                worker_id: self.worker_id.clone(),
                proof_id: proof_id.to_string(),
                extra_data,
            };
            let answer = repeat("CompleteProof", || {
                let (mut stub, message) = (self.stub.clone(), message.clone());
                async move { stub.complete_proof(timed(message)).await }
            });
            return Ok(forgive_unknown(answer.await)?);
        }
        let message = proto::FailProofRequest {
            worker_id: self.worker_id.clone(),
            proof_id: proof_id.to_string(),
            task_id: task_id.map(|id| id.to_string()),
            extra_data,
        };
        let answer = repeat("FailProof", || {
            let (mut stub, message) = (self.stub.clone(), message.clone());
            async move { stub.fail_proof(timed(message)).await }
        });
        Ok(forgive_unknown(answer.await)?)
    }

    async fn subscriber(&self, proof_id: ProofId) -> anyhow::Result<SubscriberBuilder<Self>> {
        let (wanted_tx, wanted_rx) = mpsc::unbounded_channel();
        let (results_tx, results_rx) = mpsc::unbounded_channel();
        tokio::spawn(subscriber::run(
            self.stub.clone(),
            proof_id.to_string(),
            wanted_rx,
            results_tx,
        ));
        Ok(SubscriberBuilder::new(self.clone(), wanted_tx, results_rx))
    }

    async fn subscribe_task_messages(
        &self,
        task_id: &TaskId,
    ) -> anyhow::Result<mpsc::UnboundedReceiver<Vec<u8>>> {
        let (tx, rx) = mpsc::unbounded_channel();
        tokio::spawn(messages::receive(
            self.stub.clone(),
            self.worker_id.clone(),
            task_id.to_string(),
            tx,
        ));
        Ok(rx)
    }

    async fn send_task_message(&self, task_id: &TaskId, payload: Vec<u8>) -> anyhow::Result<()> {
        let message = proto::SendTaskMessageRequest {
            worker_id: self.worker_id.clone(),
            task_id: task_id.to_string(),
            payload: payload.into(),
        };
        repeat("SendTaskMessage", || {
            let (mut stub, message) = (self.stub.clone(), message.clone());
            async move { stub.send_task_message(timed(message)).await }
        })
        .await?;
        Ok(())
    }
}
