//! The simulated workers of a process, as others start and steer them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use provost_artifacts::Store;
use provost_link::Timing;
use tokio_util::sync::CancellationToken;

use crate::class::Capacity;
use crate::faults::{Fault, FaultError, Faults};
use crate::fleet::Fleet;
use crate::profile::Profile;
use crate::stats::Stats;

/// The simulated workers of a process, and what they work with.
#[derive(Clone)]
pub struct Settings {
    /// The coordinator's replicas, `http://host:port` each. A name stands for all its addresses.
    pub coordinators: Vec<String>,
    /// The name of the worker; with several, `<name>-0` and on.
    pub name: String,
    /// How many workers.
    pub workers: usize,
    /// What each offers.
    pub capacity: Capacity,
    /// What their tasks are like.
    pub profile: Profile,
    /// Where artifacts go; none of them without it.
    pub store: Option<Arc<dyn Store>>,
    /// The periods of the workers' links.
    pub timing: Timing,
    /// How long the prove role's engine takes to build: it registers only then.
    pub build: Duration,
    /// Where chances are drawn from.
    pub seed: u64,
    /// Whether the workers say that their node may be taken away at short notice.
    pub spot: bool,
    /// The UID of the pod that they say they are in.
    pub pod_uid: String,
    /// Where each attempt at a task is noted; see [`crate::journal`].
    pub log: Option<PathBuf>,
}

impl Settings {
    /// Workers named `sim` whose links have the real worker's periods, and that keep no artifacts.
    pub fn new(coordinators: Vec<String>, workers: usize, capacity: Capacity) -> Self {
        Self {
            coordinators,
            name: "sim".to_owned(),
            workers,
            capacity,
            profile: Profile::default(),
            store: None,
            timing: Timing::default(),
            build: Duration::ZERO,
            seed: 1,
            spot: false,
            pod_uid: String::new(),
            log: None,
        }
    }
}

/// Why the workers do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The coordinator's address.
    #[error(transparent)]
    Link(#[from] provost_link::StartError),
    /// The thread of the links.
    #[error("no thread for the links: {0}")]
    Thread(#[from] std::io::Error),
    /// The log of executions.
    #[error("cannot write the log of executions: {0}")]
    Log(#[source] std::io::Error),
}

impl StartError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Link(error) => error.reason(),
            Self::Thread(_) => "Thread",
            Self::Log(_) => "Log",
        }
    }
}

/// Running simulated workers. When this is dropped they are gone, as if their process were.
pub struct Simulator {
    fleet: Arc<Fleet>,
    stop: CancellationToken,
}

impl Simulator {
    /// Starts the workers on the current tokio runtime. They connect, and connect again, on their own.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let stop = CancellationToken::new();
        let fleet = Fleet::start(settings, stop.clone())?;
        Ok(Self { fleet, stop })
    }

    /// Adds a fault; one at [`Point::Now`] happens at once.
    pub fn inject(&self, fault: Fault) -> Result<(), FaultError> {
        self.fleet.inject(fault)
    }

    /// The faults, to see or clear.
    pub fn faults(&self) -> &Faults {
        self.fleet.faults()
    }

    /// What the workers have done.
    pub fn stats(&self) -> &Stats {
        self.fleet.stats()
    }

    /// Registrations that the coordinator knows now.
    pub fn connected(&self) -> usize {
        self.fleet.connected().0
    }

    /// Waits until every registration is known to the coordinator.
    pub async fn wait_connected(&self) {
        loop {
            let (connected, all) = self.fleet.connected();
            if connected == all && all > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Takes no new tasks and waits for those that run, for `limit` at most. False if some still ran.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.fleet.drain(limit).await
    }

    /// The names of the workers that live.
    pub fn workers(&self) -> Vec<String> {
        let workers = self.fleet.workers();
        workers.iter().map(|w| w.body.name.clone()).collect()
    }

    /// Adds a worker under a name of its own.
    ///
    /// # Errors
    /// As for [`Simulator::start`].
    pub fn add(&self, name: impl Into<String>) -> Result<(), StartError> {
        self.fleet.add(name.into())
    }

    /// A worker is gone at once, and nobody takes its place. False if there is none of that name.
    pub fn kill(&self, name: &str) -> bool {
        let worker = self.fleet.remove(name);
        worker.is_some_and(|worker| {
            worker.body.die();
            true
        })
    }

    /// A worker drains for `limit` at most, as a pod that is told to go, and is gone then. False if there is none of that name, or it still had
    /// tasks.
    pub async fn stop(&self, name: &str, limit: Duration) -> bool {
        let Some(worker) = self.fleet.remove(name) else {
            return false;
        };
        let drained = worker.drain(limit).await;
        worker.body.die();
        drained
    }

    pub(crate) fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // First: what is dropped from here on is not to be reported.
        self.fleet.die();
        self.stop.cancel();
    }
}
