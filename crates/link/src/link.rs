//! The handle.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use provost_artifacts::id;
use provost_proto::link as proto;
use provost_proto::worker::TaskData;
use tokio::sync::{mpsc, oneshot, watch};

use crate::Run;
use crate::config::Config;
use crate::error::{Ended, StartError};
use crate::io::{self, Command};
use crate::listener::Listener;
use crate::order::{Order, Orders, Outcome, Role};
use crate::state::runs::Runs;
use crate::state::{ListenerId, WatcherId};
use crate::status::Status;
use crate::watcher::Watcher;

/// A worker process's link to the coordinator: a cheap handle. The link stops when all handles, orders and consumers are gone.
#[derive(Clone)]
pub struct Link {
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
    status: watch::Receiver<Status>,
}

/// What calls read and the link's thread writes.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    runs: Mutex<Runs>,
    last: AtomicU64,
}

impl Shared {
    pub(crate) fn runs(&self) -> std::sync::MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// Starts a link on a thread of its own, and begins to connect.
    ///
    /// # Errors
    /// An address makes no sense, or there is no thread to be had.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let plan = io::Plan::new(config)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(4)
            .build()?;
        let (link, hub) = Self::parts(plan);
        std::thread::Builder::new()
            .name("provost-link".to_owned())
            .spawn(move || runtime.block_on(hub))?;
        Ok(link)
    }

    /// Starts a link on a given runtime, which other links may share: for many workers in one process that do not prove.
    ///
    /// # Errors
    /// An address makes no sense.
    pub fn start_on(runtime: &tokio::runtime::Handle, config: Config) -> Result<Self, StartError> {
        let (link, hub) = Self::parts(io::Plan::new(config)?);
        runtime.spawn(hub);
        Ok(link)
    }

    fn parts(plan: io::Plan) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (commands, incoming) = mpsc::unbounded_channel();
        let (status_sink, status) = watch::channel(Status::default());
        let shared = Arc::new(Shared::default());
        let hub = io::run(
            plan,
            commands.downgrade(),
            incoming,
            shared.clone(),
            status_sink,
        );
        let link = Self {
            commands,
            shared,
            status,
        };
        (link, io::vital(hub))
    }

    /// The worker plays a role from now on. A role of the same name takes the place of the one before.
    pub fn add_role(&self, role: Role) -> Orders {
        let (sink, orders) = mpsc::unbounded_channel();
        self.send(Command::AddRole { role, sink });
        orders
    }

    /// What the device has free by now, in bytes. Replicas are told if that has changed.
    pub fn device_memory(&self, free_bytes: u64) {
        self.send(Command::DeviceMemory { free_bytes });
    }

    /// Creates a task of the run and returns its id. `data` names the proof, the parent and all else; its weight is the
    /// coordinator's to set. Its result comes to a [`Watcher`] that asks for it.
    pub fn create(&self, run: &Run, mut data: TaskData) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let task_id = id::mint_task(now_ms, rand::random());
        run.proof_id().clone_into(&mut data.proof_id);
        let create = proto::Create {
            task_id: task_id.clone(),
            run: run.number(),
            data: data.to_bytes(),
        };
        self.send(Command::Create {
            run: run.clone(),
            create,
        });
        task_id
    }

    /// A task that was ordered has ended. One that was cancelled has to be reported too, as [`Outcome::Stopped`], when it has really stopped.
    pub fn done(&self, order: Order, outcome: Outcome) {
        order.ticket.redeem(outcome);
    }

    /// A marker is complete: a task that no worker runs.
    pub fn complete_marker(&self, run: &Run, task_id: impl Into<String>) {
        self.send(Command::Marker {
            run: run.clone(),
            task_id: task_id.into(),
        });
    }

    /// The run's root, `task_id`, says how the proof ended, with JSON of what is known. Returns when that is stored. It is said even if the
    /// future is dropped.
    ///
    /// # Errors
    /// The run is over (nobody asks any more, which is no failure), the coordinator takes it for a mistake, or the link has stopped.
    pub async fn conclude(
        &self,
        run: &Run,
        task_id: impl Into<String>,
        failed: bool,
        extra_data: impl Into<String>,
    ) -> Result<(), Ended> {
        let conclude = proto::Conclude {
            run: Some(run.to_proto()),
            task_id: task_id.into(),
            failed,
            extra_data: extra_data.into(),
        };
        let (reply, stored) = oneshot::channel();
        self.send(Command::Conclude {
            run: run.clone(),
            conclude,
            reply,
        });
        stored.await.unwrap_or(Err(Ended::Closed))
    }

    /// A consumer of results of the run's tasks.
    pub fn watch(&self, run: &Run) -> Watcher {
        let id = WatcherId(self.number());
        Watcher::new(run.clone(), id, self.commands.clone())
    }

    /// Says something on the channel of `task_id`, a task that runs here. The messages of one task have to be said in their order.
    pub fn say(&self, run: &Run, task_id: impl Into<String>, payload: impl Into<Bytes>) {
        self.send(Command::Say {
            run: run.clone(),
            task_id: task_id.into(),
            payload: payload.into(),
        });
    }

    /// The messages of the channel of `task_id`, from number `from` (0 is the first) to the definite end.
    pub fn listen(&self, run: &Run, task_id: impl Into<String>, from: u64) -> Listener {
        let id = ListenerId(self.number());
        Listener::new(run.clone(), id, task_id.into(), from, self.commands.clone())
    }

    /// The worker takes no more tasks. What runs goes on; see [`Status::kept`] for when the process may end.
    pub fn drain(&self) {
        self.send(Command::Drain { grace: None });
    }

    /// The worker takes no more tasks, and its process ends after `grace`. What the leader does not expect to end by then goes elsewhere at once: of
    /// that a Controller and what belongs to it is cancelled here, and anything else goes on, for as long as there is time.
    pub fn drain_within(&self, grace: Duration) {
        let grace = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX).max(1);
        self.send(Command::Drain { grace: Some(grace) });
    }

    /// The link now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// The link's status as it changes: `wait_for(|status| status.kept.is_flushed())` waits until a process that drains may end.
    pub fn status_changes(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Whether the leader has said that the run is over. Forgotten after an hour.
    pub fn is_over(&self, run: &Run) -> bool {
        self.shared.runs().is_over(run)
    }

    /// The latest run of the proof of which a task was ordered here, unless it is over: for calls that name the proof alone.
    pub fn run_of(&self, proof_id: &str) -> Option<Run> {
        self.shared.runs().latest(proof_id)
    }

    /// A link that has stopped takes nothing, and consumers learn of it.
    fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    fn number(&self) -> u64 {
        self.shared.last.fetch_add(1, Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}
