//! `worker run`: plays the pool's roles until it is told to stop.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use provost_artifacts::{S3Config, S3Store};
use provost_proto::worker::WorkerType;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::artifacts::Artifacts;
use crate::coordinator::{self, Client, Registration, Session};
use crate::engine::{self, ExecuteEngine, ProveEngine};
use crate::memory::{self, Class, MemoryPlan};
use crate::status::{self, Status};
use crate::tasks::{self, Engine};

/// The exit code that asks for a fresh process: this one's state is in doubt.
pub const RECYCLE: u8 = 75;

/// What `worker run` takes, from flags or the environment that the operator sets.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// The coordinator's address, http://host:port.
    #[arg(long, env = "PROVOST_COORDINATOR")]
    pub coordinator: String,
    /// The name this worker registers under: its pod's.
    #[arg(long, env = "POD_NAME")]
    pub name: String,
    /// Which roles to play.
    #[arg(long, env = "PROVOST_CLASS", default_value = "All")]
    pub class: Class,
    /// Task weight to offer, in GiB, in place of what follows from the memory limit.
    #[arg(long, env = "PROVOST_CAPACITY")]
    pub capacity: Option<u32>,
    /// Provers at once, in place of what follows from the memory limit.
    #[arg(long, env = "PROVOST_PROVER_PERMITS")]
    pub prover_permits: Option<usize>,
    /// Memory limit in bytes, in place of the cgroup's.
    #[arg(long, env = "PROVOST_MEMORY_LIMIT_BYTES")]
    pub memory_limit_bytes: Option<u64>,
    /// Where to serve /healthz, /readyz and /status.
    #[arg(long, env = "PROVOST_STATUS_ADDRESS", default_value = "0.0.0.0:9090")]
    pub status_address: SocketAddr,
    /// The image this process runs from, told to the coordinator.
    #[arg(long, env = "PROVOST_IMAGE_TAG", default_value = "")]
    pub image_tag: String,
    /// Longest wait, in seconds, for running tasks after SIGTERM.
    #[arg(long, env = "PROVOST_DRAIN_SECONDS", default_value_t = 3600)]
    pub drain_seconds: u64,
}

/// Plans the memory of a worker.
pub fn memory_plan(args: &RunArgs) -> anyhow::Result<MemoryPlan> {
    let limit = args
        .memory_limit_bytes
        .filter(|limit| *limit > 0)
        .or_else(memory::cgroup_limit)
        .context(
            "cannot read this machine's memory from /proc/meminfo: set PROVOST_MEMORY_LIMIT_BYTES",
        )?;
    Ok(memory::plan(
        args.class,
        limit,
        args.capacity,
        args.prover_permits,
    )?)
}

/// The parts that every role needs.
struct Worker {
    args: RunArgs,
    plan: MemoryPlan,
    artifacts: Artifacts,
    client: Client,
    status: Arc<Status>,
    sessions: Arc<Mutex<Vec<Arc<Session>>>>,
    tracker: TaskTracker,
    poisoned: Arc<AtomicBool>,
}

/// Runs the worker. Returns when it has drained after SIGTERM, or when it wants to be replaced.
pub async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let plan = memory_plan(&args)?;
    tracing::info!(?plan, class = ?args.class, name = args.name, "worker starts");
    let store = S3Store::new(S3Config::from_env()?);
    let stub = coordinator::connect(&args.coordinator).with_context(|| {
        format!(
            "PROVOST_COORDINATOR {:?} is not an address",
            args.coordinator
        )
    })?;
    let listener = tokio::net::TcpListener::bind(args.status_address).await?;
    let mut roles = Vec::new();
    if args.class.executes() {
        roles.push(status::EXECUTE);
    }
    if args.class.proves() {
        roles.push(status::PROVE);
    }
    let worker = Arc::new(Worker {
        client: Client::new(stub, format!("{}/{}", args.name, status::EXECUTE)),
        artifacts: Artifacts::new(Arc::new(store)),
        status: Status::new(&roles, plan.clone()),
        sessions: Arc::default(),
        tracker: TaskTracker::new(),
        poisoned: Arc::default(),
        plan,
        args,
    });
    tokio::spawn(status::serve(listener, worker.status.clone()));
    coordinator::start_heartbeat(worker.args.coordinator.clone(), worker.sessions.clone())?;

    let mut building = tokio::task::JoinSet::new();
    if worker.args.class.executes() {
        worker.clone().begin_execute().await?;
    }
    if worker.args.class.proves() {
        building.spawn(worker.clone().begin_prove());
    }
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            Some(built) = building.join_next() => built.context("the proving engine's start panicked")??,
            () = tokio::time::sleep(Duration::from_secs(1)) => if worker.poisoned.load(Ordering::Acquire) {
                break;
            },
        }
    }
    worker.drain().await;
    let poisoned = worker.poisoned.load(Ordering::Acquire);
    Ok(if poisoned {
        ExitCode::from(RECYCLE)
    } else {
        ExitCode::SUCCESS
    })
}

impl Worker {
    async fn begin_execute(self: Arc<Self>) -> anyhow::Result<()> {
        let started = std::time::Instant::now();
        let (opts, artifacts, client) = (
            engine::core_opts(&self.plan),
            self.artifacts.clone(),
            self.client.clone(),
        );
        let engine =
            tokio::task::spawn_blocking(move || ExecuteEngine::new(opts, artifacts, client))
                .await?;
        tracing::info!(
            seconds = started.elapsed().as_secs_f32(),
            "execute role built"
        );
        self.begin(
            status::EXECUTE,
            WorkerType::Cpu,
            self.plan.execute_weight,
            Engine::Execute(Arc::new(engine)),
        );
        Ok(())
    }

    async fn begin_prove(self: Arc<Self>) -> anyhow::Result<()> {
        let started = std::time::Instant::now();
        let name = format!("{}/{}", self.args.name, status::PROVE);
        let prover = ProveEngine::build(
            engine::core_opts(&self.plan),
            self.plan.prover_permits,
            self.artifacts.clone(),
            self.client.speaking_as(name),
        )
        .await?;
        tracing::info!(
            seconds = started.elapsed().as_secs_f32(),
            "prove role built"
        );
        self.begin(
            status::PROVE,
            WorkerType::Gpu,
            self.plan.prove_weight,
            Engine::Prove(Arc::new(prover)),
        );
        Ok(())
    }

    fn begin(&self, role: &'static str, worker_type: WorkerType, max_weight: u32, engine: Engine) {
        let registration = Registration {
            worker_type,
            max_weight,
            image_tag: self.args.image_tag.clone(),
        };
        let client = self
            .client
            .speaking_as(format!("{}/{role}", self.args.name));
        let session = Session::new(client, registration);
        self.status.built(role, session.clone());
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(session.clone());
        let (orders_tx, orders_rx) = mpsc::unbounded_channel();
        tokio::spawn(session.clone().run(orders_tx));
        tokio::spawn(tasks::run(
            session,
            engine,
            orders_rx,
            self.tracker.clone(),
            self.poisoned.clone(),
        ));
    }

    /// Takes no new tasks and waits for those that run.
    async fn drain(&self) {
        let sessions = self
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        tracing::info!("draining: no new tasks");
        for session in &sessions {
            session.close().await;
        }
        self.tracker.close();
        let limit = Duration::from_secs(self.args.drain_seconds);
        if tokio::time::timeout(limit, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!("tasks still ran when the time to drain was up");
        }
    }
}
