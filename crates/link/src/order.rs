//! Tasks to run, and how they end.

use std::convert::Infallible;
use std::time::Duration;

use provost_proto::link::{Device, Failed, done};
use provost_proto::worker::{TaskData, WorkerType};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Run;
use crate::io::Command;

/// How long a cancelled task may wait for a store: less than after which the coordinator replaces a worker that does not let go.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// A role that this process plays: the coordinator knows it as worker `<pod>/<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// `execute`, `prove` or `wrap`.
    pub name: String,
    /// What it can run.
    pub class: WorkerType,
    /// Memory for its tasks, in GiB.
    pub max_weight: u32,
    /// How many tasks it proves at once: it is given one more, to follow. 0 to be given what it has memory for.
    pub provers: u32,
    /// What it proves on, if that is a GPU.
    pub device: Option<Device>,
    /// The largest shards that it proves, in SP1's trace elements; 0 for those that any GPU takes.
    pub shard_elements: u64,
}

/// The orders of a role, in the order in which they came. It ends when the link stops.
pub type Orders = mpsc::UnboundedReceiver<Order>;

/// A task to run. It runs here until [`Link::done`](crate::Link::done) takes it; one that is dropped counts as failed.
#[derive(Debug)]
pub struct Order {
    /// The task.
    pub task_id: String,
    /// The run that it belongs to.
    pub run: Run,
    /// Which attempt this is. A new leader may count differently while the task runs; the report then follows the leader.
    pub attempt: u32,
    /// The role that plays it.
    pub role: String,
    /// What to do.
    pub data: TaskData,
    /// Cancelled when nobody needs the task any more. It takes up its room until it is done.
    pub cancelled: CancellationToken,
    pub(crate) ticket: Ticket,
}

impl Order {
    /// Cancels `waits`, by which a task that cannot be stopped waits for a store, a while after the task was cancelled: a store that answers is let
    /// answer. For as long as the task runs; it never returns.
    pub async fn cut_short(&self, waits: &CancellationToken) -> Infallible {
        self.cancelled.cancelled().await;
        tokio::time::sleep(STORE_PATIENCE).await;
        waits.cancel();
        std::future::pending().await
    }
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its outputs are stored; with what SP1 says of the run, as JSON.
    Completed(String),
    /// It failed.
    Failed {
        /// The name of a [`FailureClass`](crate::FailureClass).
        class: String,
        /// Whether another attempt may succeed.
        retryable: bool,
        /// For people.
        message: String,
    },
    /// It was cancelled and has really stopped.
    Stopped,
}

impl From<Outcome> for done::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Completed(metadata) => Self::Completed(metadata),
            Outcome::Failed {
                class,
                retryable,
                message,
            } => Self::Failed(Failed {
                class,
                retryable,
                message,
            }),
            Outcome::Stopped => Self::Stopped(true),
        }
    }
}

/// Sees to it that every order ends: one that is lost, say in a panic, ends as failed.
#[derive(Debug)]
pub(crate) struct Ticket {
    task_id: String,
    serial: u64,
    commands: Option<mpsc::UnboundedSender<Command>>,
}

impl Ticket {
    pub(crate) fn new(
        task_id: String,
        serial: u64,
        commands: mpsc::UnboundedSender<Command>,
    ) -> Self {
        Self {
            task_id,
            serial,
            commands: Some(commands),
        }
    }

    /// Reports how the task ended.
    pub(crate) fn redeem(mut self, outcome: Outcome) {
        self.report(outcome);
    }

    fn report(&mut self, outcome: Outcome) {
        if let Some(commands) = self.commands.take() {
            // The link has stopped: there is nobody to tell.
            let _ = commands.send(Command::Ended {
                task_id: std::mem::take(&mut self.task_id),
                serial: self.serial,
                outcome,
            });
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.report(Outcome::Failed {
            class: "Bug".to_owned(),
            retryable: true,
            message: "the worker dropped the task without an outcome".to_owned(),
        });
    }
}
