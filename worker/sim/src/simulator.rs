//! The simulated workers of a process, as others start and steer them.

use std::sync::Arc;
use std::time::Duration;

use provost_artifacts::Store;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::class::Capacity;
use crate::faults::{Fault, FaultError, Faults};
use crate::fleet::Fleet;
use crate::profile::Profile;
use crate::stats::Stats;

/// The simulated workers of a process, and what they work with.
#[derive(Clone)]
pub struct Settings {
    /// The coordinator's address, `http://host:port`.
    pub coordinator: String,
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
    /// Workers that share one connection.
    pub workers_per_connection: usize,
    /// Time between the beats of a registration.
    pub beat: Duration,
    /// How long the prove role's engine takes to build: it registers only then.
    pub build: Duration,
    /// Where chances are drawn from.
    pub seed: u64,
    /// The image that the workers say they run from.
    pub image_tag: String,
}

impl Settings {
    /// Workers named `sim` that share connections by 50, beat once a second, and keep no artifacts.
    pub fn new(coordinator: impl Into<String>, workers: usize, capacity: Capacity) -> Self {
        Self {
            coordinator: coordinator.into(),
            name: "sim".to_owned(),
            workers,
            capacity,
            profile: Profile::default(),
            store: None,
            workers_per_connection: 50,
            beat: Duration::from_secs(1),
            build: Duration::ZERO,
            seed: 1,
            image_tag: String::new(),
        }
    }
}

/// Why the workers do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The coordinator's address.
    #[error("{address:?} is not an address of a coordinator: {source}")]
    Address {
        /// What was given.
        address: String,
        /// Why it is none.
        source: tonic::transport::Error,
    },
    /// The thread that beats.
    #[error("no thread for heartbeats: {0}")]
    Thread(#[from] std::io::Error),
}

impl StartError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Address { .. } => "InvalidAddress",
            Self::Thread(_) => "NoThread",
        }
    }
}

/// Running simulated workers. When this is dropped they are gone, as if their process were.
pub struct Simulator {
    fleet: Arc<Fleet>,
    _stop: DropGuard,
}

impl Simulator {
    /// Starts the workers on the current tokio runtime. They connect, and connect again, on their own.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let stop = CancellationToken::new();
        let fleet = Fleet::start(settings, stop.clone())?;
        Ok(Self {
            fleet,
            _stop: stop.drop_guard(),
        })
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

    pub(crate) fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }
}
