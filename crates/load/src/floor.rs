//! The unary contract without state: a created task goes to some worker, and its completion to the driver's subscription, if there is one.
//!
//! What is left is what two unary calls and a message on a stream take: no server of this contract can do better.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::Stream;
use provost_proto::sizes::CONNECTION_WINDOW_BYTES;
use provost_proto::worker as wire;
use provost_proto::worker::worker_service_server::{WorkerService, WorkerServiceServer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;
type Stream0<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Sender<T> = mpsc::UnboundedSender<Result<T, Status>>;

#[derive(Clone, Default)]
struct Floor {
    workers: Arc<Mutex<Vec<Sender<wire::ServerMessage>>>>,
    sub: Arc<Mutex<Option<Sender<wire::ServerSubMessage>>>>,
    next: Arc<AtomicU64>,
    proofs: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until the program ends. Who opens as an executor gets `proofs` root tasks.
///
/// # Errors
/// The server cannot go on.
pub async fn serve(listener: TcpListener, proofs: usize) -> Result<(), tonic::transport::Error> {
    let floor = Floor {
        proofs,
        ..Floor::default()
    };
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        // As the coordinator's, so that a burst of small calls does not end the connection.
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(8192)
        .add_service(WorkerServiceServer::new(floor))
        .serve_with_incoming(incoming)
        .await
}

fn stream<T: Send + 'static>(queue: mpsc::UnboundedReceiver<Result<T, Status>>) -> Stream0<T> {
    Box::pin(futures::stream::unfold(queue, |mut queue| async {
        queue.recv().await.map(|item| (item, queue))
    }))
}

fn none<T>() -> Answer<T> {
    Err(Status::unimplemented("the floor has none of this"))
}

#[tonic::async_trait]
impl WorkerService for Floor {
    type OpenStream = Stream0<wire::ServerMessage>;
    type OpenSubStream = Stream0<wire::ServerSubMessage>;
    type SubscribeTaskMessagesStream = Stream0<wire::MessageStreamResponse>;

    async fn open(&self, request: Request<wire::OpenRequest>) -> Answer<Self::OpenStream> {
        let (sender, queue) = mpsc::unbounded_channel();
        if request.into_inner().worker_id.ends_with("/prove") {
            lock(&self.workers).push(sender);
        } else {
            for number in 0..self.proofs {
                let data = wire::TaskData {
                    task_type: wire::TaskType::Controller.into(),
                    proof_id: format!("proof-{number}"),
                    ..wire::TaskData::default()
                };
                let root = wire::WorkerTask {
                    task_id: format!("root-{number}"),
                    data: Some(data),
                    ..wire::WorkerTask::default()
                };
                let message = Some(wire::server_message::Message::NewTask(root));
                let _ = sender.send(Ok(wire::ServerMessage { message }));
            }
            // Kept open.
            tokio::spawn(async move { sender.closed().await });
        }
        Ok(Response::new(stream(queue)))
    }

    async fn create_task(
        &self,
        request: Request<wire::CreateTaskRequest>,
    ) -> Answer<wire::CreateTaskResponse> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let task_id = format!("task_{number}");
        let task = wire::WorkerTask {
            task_id: task_id.clone(),
            data: request.into_inner().data,
            metadata: String::new(),
        };
        let message = Some(wire::server_message::Message::NewTask(task));
        let workers = lock(&self.workers);
        let index = usize::try_from(number).unwrap_or(0) % workers.len().max(1);
        if let Some(worker) = workers.get(index) {
            let _ = worker.send(Ok(wire::ServerMessage { message }));
        }
        Ok(Response::new(wire::CreateTaskResponse { task_id }))
    }

    async fn complete_task(&self, request: Request<wire::CompleteTaskRequest>) -> Answer<()> {
        let result = wire::TaskResult {
            task_id: request.into_inner().task_id,
            task_status: wire::TaskStatus::Succeeded.into(),
        };
        let message = wire::ServerSubMessage {
            msg_id: "1".to_owned(),
            message: Some(wire::server_sub_message::Message::TaskResult(result)),
        };
        if let Some(sub) = &*lock(&self.sub) {
            let _ = sub.send(Ok(message));
        }
        Ok(Response::new(()))
    }

    async fn open_sub(&self, _: Request<wire::OpenSubRequest>) -> Answer<Self::OpenSubStream> {
        let (sender, queue) = mpsc::unbounded_channel();
        *lock(&self.sub) = Some(sender);
        Ok(Response::new(stream(queue)))
    }

    async fn update_sub(&self, _: Request<wire::UpdateSubRequest>) -> Answer<()> {
        Ok(Response::new(()))
    }
    async fn ack_sub(&self, _: Request<wire::AckSubRequest>) -> Answer<()> {
        Ok(Response::new(()))
    }
    async fn heartbeat(&self, _: Request<wire::HeartbeatRequest>) -> Answer<()> {
        Ok(Response::new(()))
    }
    async fn close(&self, _: Request<wire::CloseRequest>) -> Answer<()> {
        none()
    }
    async fn fail_task(&self, _: Request<wire::FailTaskRequest>) -> Answer<()> {
        none()
    }
    async fn get_task_statuses(
        &self,
        _: Request<wire::GetTaskStatusesRequest>,
    ) -> Answer<wire::GetTaskStatusesResponse> {
        let statuses =
            Vec::from_iter(HashMap::<i32, wire::TaskStatusMapEntry>::new().into_values());
        Ok(Response::new(wire::GetTaskStatusesResponse { statuses }))
    }
    async fn complete_proof(&self, _: Request<wire::CompleteProofRequest>) -> Answer<()> {
        none()
    }
    async fn fail_proof(&self, _: Request<wire::FailProofRequest>) -> Answer<()> {
        none()
    }
    async fn create_proof(
        &self,
        _: Request<wire::CreateProofRequest>,
    ) -> Answer<wire::CreateProofResponse> {
        none()
    }
    async fn create_dummy_proof(&self, _: Request<wire::CreateDummyProofRequest>) -> Answer<()> {
        none()
    }
    async fn cancel_proof(&self, _: Request<wire::CancelProofRequest>) -> Answer<()> {
        none()
    }
    async fn healthcheck(&self, _: Request<()>) -> Answer<()> {
        Ok(Response::new(()))
    }
    async fn get_stats(&self, _: Request<()>) -> Answer<wire::GetStatsResponse> {
        none()
    }
    async fn subscribe_task_messages(
        &self,
        _: Request<wire::SubscribeTaskMessagesRequest>,
    ) -> Answer<Self::SubscribeTaskMessagesStream> {
        none()
    }
    async fn send_task_message(&self, _: Request<wire::SendTaskMessageRequest>) -> Answer<()> {
        none()
    }
}
