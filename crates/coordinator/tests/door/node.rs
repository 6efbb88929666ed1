//! A coordinator on a loopback port, and a client that plays a worker.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use provost_coordinator::{
    Config, Coordinator, Doors, MemoryState, ProofOutcome, ProofSpec, Root, State,
};
use provost_proto::headers;
use provost_proto::worker::worker_service_client::WorkerServiceClient;
use provost_proto::worker::{
    AckSubRequest, CompleteProofRequest, CompleteTaskRequest, CreateTaskRequest, FailTaskRequest,
    HeartbeatRequest, MessageStreamResponse, OpenRequest, OpenSubRequest, SendTaskMessageRequest,
    ServerMessage, SubscribeTaskMessagesRequest, TaskData, TaskStatus, TaskType, WorkerTask,
    WorkerType, message_stream_response, server_message, server_sub_message,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

pub(crate) type Client = WorkerServiceClient<Channel>;

/// Nothing here takes longer unless it is broken.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) coordinator: Coordinator,
    pub(crate) shutdown: CancellationToken,
    pub(crate) serving: JoinHandle<Result<(), tonic::transport::Error>>,
    address: String,
}

pub(crate) async fn start(config: Config, state: Arc<dyn State>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let coordinator = Coordinator::start(config, state, shutdown.clone());
    let server = coordinator.clone();
    let serving = tokio::spawn(async move { server.serve(listener, Doors::BOTH).await });
    Server {
        coordinator,
        shutdown,
        serving,
        address,
    }
}

pub(crate) async fn start_in_memory(config: Config) -> (Server, Arc<MemoryState>) {
    let state = Arc::new(MemoryState::new());
    (start(config, state.clone()).await, state)
}

impl Server {
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Weight of the tasks that all workers hold.
    pub(crate) async fn used(&self) -> u32 {
        let workers = self.coordinator.workers().await;
        workers.iter().map(|worker| worker.used_weight).sum()
    }

    pub(crate) async fn client(&self) -> Client {
        let endpoint = Endpoint::from_shared(self.address.clone()).unwrap();
        Client::new(endpoint.connect().await.unwrap())
    }

    pub(crate) async fn worker(&self, id: &str, kind: WorkerType, weight: u32) -> Node {
        Node::open(self.client().await, id, kind, weight).await
    }
}

pub(crate) fn spec(id: &str, kind: Root) -> ProofSpec {
    ProofSpec {
        inputs: ["program", "stdin", "2", "0", "", "{}"]
            .map(str::to_owned)
            .to_vec(),
        outputs: vec!["proof".to_owned()],
        requester: "someone".to_owned(),
        created_at_ms: 1,
        ..ProofSpec::new(id, kind)
    }
}

pub(crate) async fn outcome(state: &MemoryState, proof: &str) -> ProofOutcome {
    let wait = async {
        loop {
            if let Some(outcome) = state.outcome(proof) {
                return outcome;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.expect("an outcome")
}

/// A registered worker: a connection and its stream.
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) client: Client,
    pub(crate) stream: Streaming<ServerMessage>,
}

impl Node {
    pub(crate) async fn open(mut client: Client, id: &str, kind: WorkerType, weight: u32) -> Self {
        let request = OpenRequest {
            worker_id: id.to_owned(),
            worker_type: kind.into(),
            max_weight: weight,
            version: "test".to_owned(),
            ..OpenRequest::default()
        };
        let stream = client.open(request).await.unwrap().into_inner();
        Self {
            id: id.to_owned(),
            client,
            stream,
        }
    }

    /// The next message that is no beat; `None` when the stream ends.
    pub(crate) async fn next(&mut self) -> Option<server_message::Message> {
        let next = async {
            loop {
                match self.stream.message().await.ok()??.message {
                    Some(server_message::Message::ServerHeartbeat(_)) | None => {}
                    other => return other,
                }
            }
        };
        let next = tokio::time::timeout(LIMIT, next).await;
        next.expect("a message in time")
    }

    pub(crate) async fn task(&mut self) -> WorkerTask {
        match self.next().await {
            Some(server_message::Message::NewTask(task)) => task,
            other => panic!("a task, not {other:?}"),
        }
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller {
            worker: self.id.clone(),
            client: self.client.clone(),
        }
    }
}

/// The calls of a task that runs on a worker.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) worker: String,
    pub(crate) client: Client,
}

impl Caller {
    pub(crate) async fn create(
        &mut self,
        proof: &str,
        kind: TaskType,
        id: Option<&str>,
    ) -> Result<String, Status> {
        let mut request = Request::new(CreateTaskRequest {
            worker_id: self.worker.clone(),
            data: Some(TaskData {
                task_type: kind.into(),
                proof_id: proof.to_owned(),
                ..TaskData::default()
            }),
        });
        if let Some(id) = id {
            let metadata = request.metadata_mut();
            metadata.insert(headers::TASK_ID, id.parse().unwrap());
        }
        let answer = self.client.create_task(request).await?;
        Ok(answer.into_inner().task_id)
    }

    pub(crate) async fn complete(&mut self, proof: &str, task: &str) -> Result<(), Status> {
        let request = CompleteTaskRequest {
            worker_id: self.worker.clone(),
            proof_id: proof.to_owned(),
            task_id: task.to_owned(),
            metadata: r#"{"gpu_ms":1}"#.to_owned(),
        };
        self.client.complete_task(request).await.map(drop)
    }

    pub(crate) async fn fail(
        &mut self,
        proof: &str,
        task: &str,
        retryable: bool,
    ) -> Result<(), Status> {
        let request = FailTaskRequest {
            worker_id: self.worker.clone(),
            proof_id: proof.to_owned(),
            task_id: task.to_owned(),
            retryable,
        };
        self.client.fail_task(request).await.map(drop)
    }

    pub(crate) async fn complete_proof(&mut self, proof: &str, extra: &str) -> Result<(), Status> {
        let request = CompleteProofRequest {
            worker_id: self.worker.clone(),
            proof_id: proof.to_owned(),
            extra_data: Some(extra.to_owned()),
        };
        self.client.complete_proof(request).await.map(drop)
    }

    pub(crate) async fn beat(&mut self, active: &[(&str, &str)]) -> Result<(), Status> {
        let request = HeartbeatRequest {
            worker_id: self.worker.clone(),
            active_task_proof_ids: active.iter().map(|(p, _)| (*p).to_owned()).collect(),
            active_task_ids: active.iter().map(|(_, t)| (*t).to_owned()).collect(),
            current_weight: 0,
        };
        self.client.heartbeat(request).await.map(drop)
    }

    pub(crate) async fn send(&mut self, task: &str, payload: &[u8]) -> Result<(), Status> {
        let request = SendTaskMessageRequest {
            worker_id: self.worker.clone(),
            task_id: task.to_owned(),
            payload: payload.to_vec().into(),
        };
        self.client.send_task_message(request).await.map(drop)
    }

    pub(crate) async fn messages(
        &mut self,
        task: &str,
        from: u64,
    ) -> Result<Streaming<MessageStreamResponse>, Status> {
        let request = SubscribeTaskMessagesRequest {
            worker_id: self.worker.clone(),
            task_id: task.to_owned(),
            start_offset: from,
        };
        let answer = self.client.subscribe_task_messages(request).await?;
        Ok(answer.into_inner())
    }

    /// Waits until all tasks are final, and says how each ended.
    pub(crate) async fn wait(
        &mut self,
        proof: &str,
        tasks: &[String],
    ) -> HashMap<String, TaskStatus> {
        static SUBS: AtomicU64 = AtomicU64::new(0);
        let sub_id = format!("sub{}", SUBS.fetch_add(1, Ordering::Relaxed));
        let request = OpenSubRequest {
            sub_id: sub_id.clone(),
            proof_id: proof.to_owned(),
            task_ids: tasks.to_vec(),
        };
        let mut stream = self.client.open_sub(request).await.unwrap().into_inner();
        let mut results = HashMap::new();
        while results.len() < tasks.len() {
            let next = tokio::time::timeout(LIMIT, stream.message()).await;
            let message = next.expect("a result in time").unwrap().expect("a result");
            if let Some(server_sub_message::Message::TaskResult(result)) = message.message {
                results.insert(result.task_id.clone(), result.task_status());
                let msg_id = message.msg_id;
                let ack = AckSubRequest {
                    sub_id: sub_id.clone(),
                    msg_id,
                };
                self.client.ack_sub(ack).await.unwrap();
            }
        }
        results
    }
}

/// The payloads of a channel up to its end.
pub(crate) async fn collect(
    mut stream: Streaming<MessageStreamResponse>,
) -> Result<Vec<Vec<u8>>, Status> {
    let mut payloads = Vec::new();
    loop {
        let next = tokio::time::timeout(LIMIT, stream.message()).await;
        match next.expect("a message in time")?.and_then(|m| m.message) {
            Some(message_stream_response::Message::Payload(payload)) => {
                payloads.push(payload.to_vec());
            }
            Some(message_stream_response::Message::EndOfStream(_)) => return Ok(payloads),
            None => panic!("the stream ended without saying so"),
        }
    }
}
