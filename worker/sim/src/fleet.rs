//! The workers of a process from within: how they begin, what they share, who takes the place of one that is gone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use provost_link::Link;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::body::{Body, Crashed};
use crate::class::Capacity;
use crate::faults::{Fault, FaultError, Faults, Point};
use crate::journal::Journal;
use crate::simulator::{Settings, StartError};
use crate::stats::Stats;
use crate::tasks::{self, Bench, Role};
use crate::wire::Dialer;
use crate::worker::Worker;

/// What the workers of a process share.
pub(crate) struct Fleet {
    settings: Settings,
    /// All links run on one thread, so that tasks delay neither beats nor messages.
    links: Handle,
    bench: Bench,
    faults: Faults,
    stats: Arc<Stats>,
    workers: Mutex<Vec<Arc<Worker>>>,
    replacements: AtomicU64,
    crashed: mpsc::UnboundedSender<Crashed>,
    poisoned: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Fleet {
    /// Starts the workers on the current tokio runtime; they end when `stop` is cancelled.
    pub(crate) fn start(
        settings: Settings,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, StartError> {
        let journal = settings.log.as_deref().map(Journal::open).transpose();
        let journal = journal.map_err(StartError::Log)?.map(Arc::new);
        let (crashed, crashes) = mpsc::unbounded_channel();
        let fleet = Arc::new(Fleet {
            links: thread_of_links(stop.clone())?,
            bench: Bench {
                profile: Arc::new(settings.profile.clone()),
                store: settings.store.clone(),
                journal,
            },
            faults: Faults::new(settings.seed),
            stats: Arc::default(),
            workers: Mutex::default(),
            replacements: AtomicU64::new(0),
            crashed,
            poisoned: Arc::default(),
            stop: stop.clone(),
            settings,
        });
        for i in 0..fleet.settings.workers {
            let name = &fleet.settings.name;
            fleet.add(match fleet.settings.workers {
                1 => name.clone(),
                _ => format!("{name}-{i}"),
            })?;
        }
        let replacing = stop.run_until_cancelled_owned(fleet.clone().replace(crashes));
        tokio::spawn(replacing);
        Ok(fleet)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Whether a task panicked, so that the process should be replaced.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// All workers that live.
    pub(crate) fn workers(&self) -> Vec<Arc<Worker>> {
        self.lock().clone()
    }

    /// Adds a fault, or carries it out if it is for now.
    pub(crate) fn inject(&self, fault: Fault) -> Result<(), FaultError> {
        if fault.at != Some(Point::Now) {
            return self.faults.add(fault).map(drop);
        }
        fault.check()?;
        for worker in self.workers() {
            let body = &worker.body;
            if fault.worker.as_ref().is_none_or(|name| *name == body.name) {
                body.strike(&fault);
            }
        }
        Ok(())
    }

    /// Heals partitions and silences.
    pub(crate) fn heal(&self) {
        for worker in self.workers() {
            worker.body.wire.heal();
        }
    }

    /// Registrations that the coordinator knows, and all that there are to be.
    pub(crate) fn connected(&self) -> (usize, usize) {
        let workers = self.workers();
        let looks = workers.iter().map(|worker| worker.look());
        let led = looks.filter(|(_, status)| status.leader.is_some());
        let connected = led.map(|(roles, _)| roles).sum();
        let Capacity { execute, prove } = self.settings.capacity;
        let roles = usize::from(execute > 0) + usize::from(prove > 0);
        (connected, workers.len() * roles)
    }

    /// Drains all workers.
    pub(crate) async fn drain(&self, limit: Duration) -> bool {
        let workers = self.workers();
        tracing::info!(workers = workers.len(), "draining: no new tasks");
        let drains = workers.iter().map(|worker| worker.drain(limit));
        let drained = futures::future::join_all(drains).await;
        let drained = drained.iter().all(|drained| *drained);
        if !drained {
            tracing::warn!("tasks still ran when the time to drain was up");
        }
        drained
    }

    /// Takes a worker out of the fleet; `None` if there is none of that name.
    pub(crate) fn remove(&self, name: &str) -> Option<Arc<Worker>> {
        let mut workers = self.lock();
        let place = workers.iter().position(|w| w.body.name == name)?;
        Some(workers.remove(place))
    }

    /// All workers are gone, as if their process were.
    pub(crate) fn die(&self) {
        for worker in self.lock().drain(..) {
            worker.body.die();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Worker>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a worker.
    pub(crate) fn add(&self, name: String) -> Result<(), StartError> {
        let body = Body::new(
            name,
            self.faults.clone(),
            self.stats.clone(),
            self.stop.child_token(),
            self.poisoned.clone(),
            self.crashed.clone(),
        );
        let settings = &self.settings;
        let config = provost_link::Config {
            pod_uid: settings.pod_uid.clone(),
            spot: settings.spot,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            timing: settings.timing.clone(),
            dial: Some(Arc::new(Dialer(body.wire.clone()))),
            ..provost_link::Config::new(settings.coordinators.clone(), body.name.clone())
        };
        let link = Link::start_on(&self.links, config)?;
        let worker = Arc::new(Worker::new(body, link));
        self.lock().push(worker.clone());
        let Capacity { execute, prove } = settings.capacity;
        if execute > 0 {
            begin(&worker, self.bench.clone(), Role::Execute, execute);
        }
        if prove > 0 {
            let (life, build) = (worker.body.life.clone(), settings.build);
            let bench = self.bench.clone();
            let building = async move {
                tokio::time::sleep(build).await;
                begin(&worker, bench, Role::Prove, prove);
            };
            tokio::spawn(life.run_until_cancelled_owned(building));
        }
        Ok(())
    }

    /// Puts others in the place of workers that crashed, under names that were never used.
    async fn replace(self: Arc<Self>, mut crashes: mpsc::UnboundedReceiver<Crashed>) {
        while let Some(crashed) = crashes.recv().await {
            self.remove(&crashed.name);
            tracing::info!(worker = crashed.name, "worker crashed");
            let Some(after) = crashed.replace_after else {
                continue;
            };
            let fleet = self.clone();
            let replacing = async move {
                tokio::time::sleep(after).await;
                let number = fleet.replacements.fetch_add(1, Ordering::Relaxed);
                let name = format!("{}-r{number}", fleet.settings.name);
                if let Err(error) = fleet.add(name) {
                    tracing::error!(%error, "no worker in the place of the one that crashed");
                }
            };
            tokio::spawn(self.stop.clone().run_until_cancelled_owned(replacing));
        }
    }
}

/// A worker begins to play a role.
fn begin(worker: &Arc<Worker>, bench: Bench, role: Role, max_weight: u32) {
    let orders = worker.play(role, max_weight);
    let (link, body) = (worker.link().clone(), worker.body.clone());
    let life = body.life.clone();
    let working = tasks::run(link, body, role, bench, orders);
    tokio::spawn(life.run_until_cancelled_owned(working));
}

/// Starts the thread that the links run on. It ends when `stop` is cancelled.
fn thread_of_links(stop: CancellationToken) -> std::io::Result<Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("provost-link".to_owned())
        .spawn(move || runtime.block_on(stop.cancelled_owned()))?;
    Ok(handle)
}
