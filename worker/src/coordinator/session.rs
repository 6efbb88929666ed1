//! One registration of this process: a stream of orders from the coordinator, and what runs because of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::server_message::Message;
use provost_proto::worker as proto;
use tokio::sync::{mpsc, watch};
use tokio_stream::StreamExt as _;

use super::channel::Backoff;
use super::client::Client;

/// The coordinator prompts every few seconds; a stream that is silent for longer is opened anew.
const SILENCE: Duration = Duration::from_secs(20);

/// What a role tells of itself when it registers.
#[derive(Debug, Clone)]
pub struct Registration {
    /// CPU for the execute role, GPU for the prove role.
    pub worker_type: proto::WorkerType,
    /// Task weight (GiB) that it offers.
    pub max_weight: u32,
    /// The image tag, for the component manifest.
    pub image_tag: String,
}

/// A task that runs here, or whose result is not acknowledged yet.
struct Active {
    proof_id: String,
    cancel: watch::Sender<bool>,
}

/// A registration, shared by its stream, its tasks and the heartbeat thread.
pub struct Session {
    client: Client,
    registration: Registration,
    active: Mutex<HashMap<String, Active>>,
    connected: watch::Sender<bool>,
    reopen: tokio::sync::Notify,
}

/// An order to run a task, with what tells that it was cancelled.
pub struct Order {
    /// The task.
    pub task: proto::WorkerTask,
    /// Turns true when the coordinator no longer wants it.
    pub cancelled: watch::Receiver<bool>,
}

impl Session {
    /// A session that is not open yet.
    pub fn new(client: Client, registration: Registration) -> Arc<Self> {
        Arc::new(Self {
            client,
            registration,
            active: Mutex::default(),
            connected: watch::Sender::new(false),
            reopen: tokio::sync::Notify::new(),
        })
    }

    /// The client that speaks for this registration.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the coordinator knows this registration now.
    pub fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// (proof, task) of all that is active.
    pub fn active(&self) -> Vec<(String, String)> {
        self.lock()
            .iter()
            .map(|(task_id, active)| (active.proof_id.clone(), task_id.clone()))
            .collect()
    }

    /// The coordinator does not know this worker: opens the stream again.
    pub fn reopen(&self) {
        self.reopen.notify_one();
    }

    /// Forgets a task whose result has been acknowledged, or that was cancelled and has stopped.
    pub fn done(&self, task_id: &str) {
        self.lock().remove(task_id);
    }

    /// Keeps the stream open and hands each new task to `orders`, until `orders` is dropped.
    pub async fn run(self: Arc<Self>, orders: mpsc::UnboundedSender<Order>) {
        let mut backoff = Backoff::default();
        loop {
            tokio::select! {
                () = self.serve(&orders, &mut backoff) => {}
                () = self.reopen.notified() => tracing::info!(worker = self.client.worker_id(), "registering again"),
                () = orders.closed() => return,
            }
            self.connected.send_replace(false);
            tokio::select! {
                () = backoff.wait() => {}
                () = orders.closed() => return,
            }
        }
    }

    /// Tells the coordinator that no new tasks are wanted.
    pub async fn close(&self) {
        let request = proto::CloseRequest {
            worker_id: self.client.worker_id().to_owned(),
        };
        if let Err(status) = self.client.stub().close(request).await {
            tracing::warn!(%status, "could not tell the coordinator that this worker drains");
        }
    }

    async fn serve(&self, orders: &mpsc::UnboundedSender<Order>, backoff: &mut Backoff) {
        let open = proto::OpenRequest {
            worker_id: self.client.worker_id().to_owned(),
            worker_type: self.registration.worker_type as i32,
            max_weight: self.registration.max_weight,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            image_tag: self.registration.image_tag.clone(),
            ..Default::default()
        };
        let mut stream = match self.client.stub().open(open).await {
            Ok(response) => response.into_inner(),
            Err(status) => {
                tracing::info!(worker = self.client.worker_id(), %status, "the coordinator does not answer yet");
                return;
            }
        };
        tracing::info!(
            worker = self.client.worker_id(),
            weight = self.registration.max_weight,
            "registered"
        );
        self.connected.send_replace(true);
        loop {
            match tokio::time::timeout(SILENCE, stream.next()).await {
                Ok(Some(Ok(message))) => {
                    *backoff = Backoff::default();
                    self.obey(message, orders);
                }
                Ok(Some(Err(status))) => {
                    tracing::warn!(%status, "the stream from the coordinator broke");
                    return;
                }
                Ok(None) => return,
                Err(_) => {
                    tracing::warn!("the coordinator is silent; opening the stream again");
                    return;
                }
            }
        }
    }

    fn obey(&self, message: proto::ServerMessage, orders: &mpsc::UnboundedSender<Order>) {
        match message.message {
            Some(Message::NewTask(task)) => {
                let mut active = self.lock();
                // The coordinator sends a task again when it is not sure that it arrived.
                if active.contains_key(&task.task_id) {
                    return;
                }
                let (cancel, cancelled) = watch::channel(false);
                let proof_id = task
                    .data
                    .as_ref()
                    .map(|data| data.proof_id.clone())
                    .unwrap_or_default();
                active.insert(task.task_id.clone(), Active { proof_id, cancel });
                let _ = orders.send(Order { task, cancelled });
            }
            Some(Message::CancelTask(cancel)) => {
                if let Some(active) = self.lock().get(&cancel.task_id) {
                    active.cancel.send_replace(true);
                }
            }
            Some(Message::ServerHeartbeat(_)) | None => {}
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Active>> {
        self.active
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
