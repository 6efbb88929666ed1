//! One registration of a simulated worker: a stream of orders from the coordinator, and what runs because of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::server_message::Message;
use provost_proto::worker as proto;
use tokio::sync::{mpsc, watch};

use super::Link;
use super::calls::Backoff;
use crate::body::Body;

/// The coordinator prompts every few seconds; a stream that is silent for longer is opened anew.
const SILENCE: Duration = Duration::from_secs(20);

/// What a role tells of itself when it registers.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    /// CPU for the execute role, GPU for the prove role.
    pub(crate) worker_type: proto::WorkerType,
    /// Task weight (GiB) that it offers.
    pub(crate) max_weight: u32,
    /// The image tag, for the component manifest.
    pub(crate) image_tag: String,
}

/// A task that runs here, or whose result is not acknowledged yet.
#[derive(Debug)]
struct Active {
    proof_id: String,
    cancel: watch::Sender<bool>,
}

/// A registration, shared by its stream, its tasks and the heartbeats.
#[derive(Debug)]
pub(crate) struct Session {
    link: Link,
    registration: Registration,
    active: Mutex<HashMap<String, Active>>,
    connected: watch::Sender<bool>,
    reopen: tokio::sync::Notify,
}

/// An order to run a task, with what tells that it was cancelled.
#[derive(Debug)]
pub(crate) struct Order {
    /// The task.
    pub(crate) task: proto::WorkerTask,
    /// Turns true when the coordinator no longer wants it.
    pub(crate) cancelled: watch::Receiver<bool>,
}

impl Session {
    /// A session that is not open yet.
    pub(crate) fn new(link: Link, registration: Registration) -> Arc<Self> {
        Arc::new(Self {
            link,
            registration,
            active: Mutex::default(),
            connected: watch::Sender::new(false),
            reopen: tokio::sync::Notify::new(),
        })
    }

    /// What it speaks through.
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// The worker that it belongs to.
    pub(crate) fn body(&self) -> &Arc<Body> {
        self.link.body()
    }

    /// Whether the coordinator knows this registration now.
    pub(crate) fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// (proof, task) of all that is active.
    pub(crate) fn active(&self) -> Vec<(String, String)> {
        let active = self.lock();
        let pairs = active.iter();
        pairs
            .map(|(task_id, active)| (active.proof_id.clone(), task_id.clone()))
            .collect()
    }

    /// The coordinator does not know this worker: opens the stream again.
    pub(crate) fn reopen(&self) {
        self.reopen.notify_one();
    }

    /// Forgets a task whose result has been acknowledged, or that was cancelled and has stopped.
    pub(crate) fn done(&self, task_id: &str) {
        self.lock().remove(task_id);
    }

    /// Keeps the stream open and hands each new task to `orders`, until `orders` is dropped.
    pub(crate) async fn run(self: Arc<Self>, orders: mpsc::UnboundedSender<Order>) {
        let deaf = &self.body().deaf;
        let mut backoff = Backoff::default();
        loop {
            deaf.wait_off().await;
            tokio::select! {
                () = self.serve(&orders, &mut backoff) => {}
                () = self.reopen.notified() => tracing::debug!(worker = self.link.worker_id(), "registering again"),
                () = deaf.wait_on() => tracing::info!(worker = self.link.worker_id(), "falls silent"),
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
    pub(crate) async fn close(&self) {
        if let Err(status) = self.link.close().await {
            tracing::warn!(%status, "could not tell the coordinator that this worker drains");
        }
    }

    async fn serve(&self, orders: &mpsc::UnboundedSender<Order>, backoff: &mut Backoff) {
        let mut stream = match self.link.open(&self.registration).await {
            Ok(stream) => stream,
            Err(status) => {
                tracing::debug!(worker = self.link.worker_id(), %status, "the coordinator does not answer yet");
                return;
            }
        };
        tracing::debug!(worker = self.link.worker_id(), "registered");
        self.connected.send_replace(true);
        loop {
            let next = self.link.calls.next(&mut stream);
            match tokio::time::timeout(SILENCE, next).await {
                Ok(Some(Ok(message))) => {
                    self.link.calls.heard().await;
                    *backoff = Backoff::default();
                    self.obey(message, orders);
                }
                Ok(Some(Err(status))) => {
                    tracing::debug!(worker = self.link.worker_id(), %status, "the stream from the coordinator broke");
                    return;
                }
                Ok(None) => return,
                Err(_) => {
                    tracing::info!(
                        worker = self.link.worker_id(),
                        "the coordinator is silent; opening the stream again"
                    );
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
                let data = task.data.as_ref();
                let proof_id = data.map(|data| data.proof_id.clone()).unwrap_or_default();
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
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
