//! The workers of a process from within: how they begin, what they share, who takes the place of one that crashed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use provost_proto::worker::WorkerType;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::{Body, Crashed};
use crate::class::Capacity;
use crate::faults::{Fault, FaultError, Faults, Point};
use crate::link::{Beating, Link, Pool, Registration, Session, Sessions, Stub, start_beating};
use crate::simulator::{Settings, StartError};
use crate::stats::Stats;
use crate::tasks::{self, Bench, Role};

/// What the workers of a process share.
pub(crate) struct Fleet {
    settings: Settings,
    pool: Arc<Pool>,
    bench: Bench,
    faults: Faults,
    stats: Arc<Stats>,
    sessions: Sessions,
    bodies: Mutex<Vec<Arc<Body>>>,
    replacements: AtomicU64,
    crashed: mpsc::UnboundedSender<Crashed>,
    tracker: TaskTracker,
    poisoned: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Fleet {
    /// Starts the workers on the current tokio runtime; they end when `stop` is cancelled.
    pub(crate) fn start(
        settings: Settings,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, StartError> {
        let pool = Pool::new(&settings.coordinator, settings.workers_per_connection);
        let pool = Arc::new(pool.map_err(|source| StartError::Address {
            address: settings.coordinator.clone(),
            source,
        })?);
        let sessions = Sessions::default();
        start_beating(pool.clone(), sessions.clone(), settings.beat, stop.clone())?;
        let (crashed, crashes) = mpsc::unbounded_channel();
        let fleet = Arc::new(Fleet {
            bench: Bench {
                profile: Arc::new(settings.profile.clone()),
                store: settings.store.clone(),
            },
            faults: Faults::new(settings.seed),
            pool,
            stats: Arc::default(),
            sessions,
            bodies: Mutex::default(),
            replacements: AtomicU64::new(0),
            crashed,
            tracker: TaskTracker::new(),
            poisoned: Arc::default(),
            stop: stop.clone(),
            settings,
        });
        for i in 0..fleet.settings.workers {
            let name = &fleet.settings.name;
            fleet.add_worker(match fleet.settings.workers {
                1 => name.clone(),
                _ => format!("{name}-{i}"),
            });
        }
        let replacing = stop
            .clone()
            .run_until_cancelled_owned(fleet.clone().replace(crashes));
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

    /// Adds a fault, or carries it out if it is for now.
    pub(crate) fn inject(&self, fault: Fault) -> Result<(), FaultError> {
        if fault.at != Some(Point::Now) {
            return self.faults.add(fault).map(drop);
        }
        fault.check()?;
        for body in self.bodies() {
            if fault.worker.as_ref().is_none_or(|name| *name == body.name) {
                body.strike(&fault);
            }
        }
        Ok(())
    }

    /// Heals partitions and silences.
    pub(crate) fn heal(&self) {
        for body in self.bodies() {
            body.cut.off();
            body.mute.off();
            body.deaf.off();
        }
    }

    /// All registrations of workers that live.
    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        let sessions = self.sessions.lock();
        let sessions = sessions.unwrap_or_else(PoisonError::into_inner);
        let live = sessions.iter().map(Beating::session);
        live.filter(|s| !s.body().life.is_cancelled())
            .cloned()
            .collect()
    }

    /// Registrations that the coordinator knows, and all that there are to be.
    pub(crate) fn connected(&self) -> (usize, usize) {
        let connected = self.sessions().iter().filter(|s| s.is_connected()).count();
        let Capacity { execute, prove } = self.settings.capacity;
        let roles = usize::from(execute > 0) + usize::from(prove > 0);
        (connected, self.bodies().len() * roles)
    }

    pub(crate) async fn drain(&self, limit: Duration) -> bool {
        let sessions = self.sessions();
        tracing::info!(registrations = sessions.len(), "draining: no new tasks");
        futures::future::join_all(sessions.iter().map(|session| session.close())).await;
        self.tracker.close();
        let drained = tokio::time::timeout(limit, self.tracker.wait()).await;
        if drained.is_err() {
            tracing::warn!("tasks still ran when the time to drain was up");
        }
        drained.is_ok()
    }

    fn bodies(&self) -> Vec<Arc<Body>> {
        self.lock_bodies().clone()
    }

    fn lock_bodies(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Body>>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_worker(self: &Arc<Self>, name: String) {
        let body = Body::new(
            name,
            self.faults.clone(),
            self.stats.clone(),
            self.stop.child_token(),
            self.poisoned.clone(),
            self.crashed.clone(),
        );
        self.lock_bodies().push(body.clone());
        let stub = self.pool.stub();
        let Capacity { execute, prove } = self.settings.capacity;
        if execute > 0 {
            self.begin(&body, stub.clone(), Role::Execute, execute);
        }
        if prove > 0 {
            let (fleet, life) = (self.clone(), body.life.clone());
            let build = self.settings.build;
            let begin = async move {
                tokio::time::sleep(build).await;
                fleet.begin(&body, stub, Role::Prove, prove);
            };
            tokio::spawn(life.run_until_cancelled_owned(begin));
        }
    }

    fn begin(&self, body: &Arc<Body>, stub: Stub, role: Role, max_weight: u32) {
        let (name, worker_type) = match role {
            Role::Execute => ("execute", WorkerType::Cpu),
            Role::Prove => ("prove", WorkerType::Gpu),
        };
        let registration = Registration {
            worker_type,
            max_weight,
            image_tag: self.settings.image_tag.clone(),
        };
        let session = Session::new(Link::new(stub, body.clone(), name), registration);
        let sessions = self.sessions.lock();
        sessions
            .unwrap_or_else(PoisonError::into_inner)
            .push(Beating::new(session.clone()));
        let (orders_tx, orders) = mpsc::unbounded_channel();
        let life = &body.life;
        let streaming = session.clone().run(orders_tx);
        tokio::spawn(life.clone().run_until_cancelled_owned(streaming));
        let working = tasks::run(
            session,
            role,
            self.bench.clone(),
            orders,
            self.tracker.clone(),
        );
        tokio::spawn(life.clone().run_until_cancelled_owned(working));
    }

    /// Puts others in the place of workers that crashed, under names that were never used.
    async fn replace(self: Arc<Self>, mut crashes: mpsc::UnboundedReceiver<Crashed>) {
        while let Some(crashed) = crashes.recv().await {
            self.lock_bodies().retain(|body| body.name != crashed.name);
            tracing::info!(worker = crashed.name, "worker crashed");
            let Some(after) = crashed.replace_after else {
                continue;
            };
            let fleet = self.clone();
            let replacing = async move {
                tokio::time::sleep(after).await;
                let number = fleet.replacements.fetch_add(1, Ordering::Relaxed);
                fleet.add_worker(format!("{}-r{number}", fleet.settings.name));
            };
            tokio::spawn(self.stop.clone().run_until_cancelled_owned(replacing));
        }
    }
}
