//! `worker run`: plays the pool's roles until it is told to stop.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use provost_artifacts::{S3Config, S3Store};
use provost_coordinator::doors::listen;
use provost_device::{Device, NO_DEVICE};
use provost_link::{Link, Role};
use provost_proto::worker::WorkerType;
use sp1_prover::SP1_CIRCUIT_VERSION;
use tokio_util::task::TaskTracker;

use crate::artifacts::{Artifacts, SHARDS_AHEAD};
use crate::coordinator::Client;
use crate::engine::{self, Build, ExecuteEngine, Found, ProveEngine, Steps};
use crate::health::{Doubt, Health};
use crate::memory::{self, Class, Machine, MemoryPlan, Units};
use crate::status::{self, Start, Status};
use crate::tasks::{self, Engine, device};

/// The exit code of a process in doubt that asks for a fresh one: SP1 broke while it executed (`EX_TEMPFAIL` of sysexits.h). The program is the likely reason.
pub const RECYCLE: u8 = 75;

/// The exit code of a process that asks for a fresh one since SP1 broke while it proved, or proved wrongly (`EX_SOFTWARE`). Where that happens again and again, the
/// machine is the likely reason.
pub const PROVER_BROKE: u8 = 70;

/// How long a GPU's engine may take to be built, its known answer included. The slowest seen, on a CPU, took three minutes. Three times this is to
/// be within the half hour in which failures count for quarantine.
const BUILD: Duration = Duration::from_secs(500);

/// How often the coordinator is told what a GPU has free.
const LOOK: Duration = Duration::from_secs(10);

/// What `worker run` takes, from flags or the environment that the operator sets.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// The coordinator's address, http://host:port. A name with several addresses, as a headless Service has, stands for as
    /// many replicas.
    #[arg(long, env = "PROVOST_COORDINATOR")]
    pub coordinator: String,
    /// The pod's UID.
    #[arg(long, env = "POD_UID", default_value = "")]
    pub pod_uid: String,
    /// The name this worker registers under: its pod's.
    #[arg(long, env = "POD_NAME")]
    pub name: String,
    /// Which roles to play.
    #[arg(long, env = "PROVOST_CLASS", default_value = "All")]
    pub class: Class,
    /// Task weight to offer, in GiB, in place of what follows from the memory limit.
    #[arg(long, env = "PROVOST_CAPACITY")]
    pub capacity: Option<u32>,
    /// What tasks weigh.
    #[command(flatten)]
    pub units: Units,
    /// Provers at once, in place of what follows from the memory limit. On a GPU one proves at a time, and the others prepare.
    #[arg(long, env = "PROVOST_PROVER_PERMITS")]
    pub prover_permits: Option<usize>,
    /// Prove something whose answer is known before taking tasks that prove, and end with exit code 69 if it comes out otherwise.
    #[arg(long, env = "PROVOST_KNOWN_ANSWER")]
    pub known_answer: bool,
    /// Say that this node may be taken away at short notice (spot, preemptible): what a whole proof hangs on goes elsewhere while there is room elsewhere.
    #[arg(long, env = "PROVOST_SPOT")]
    pub spot: bool,
    /// Most shards of an execution that are in the store and not proven yet: it waits before it makes more.
    #[arg(long, env = "PROVOST_SHARDS_AHEAD", default_value_t = SHARDS_AHEAD)]
    pub shards_ahead: NonZeroU32,
    /// Memory limit in bytes, in place of the cgroup's.
    #[arg(long, env = "PROVOST_MEMORY_LIMIT_BYTES")]
    pub memory_limit_bytes: Option<u64>,
    /// Where to serve /healthz, /readyz and /status.
    #[arg(long, env = "PROVOST_STATUS_ADDRESS", default_value = "[::]:9090")]
    pub status_address: SocketAddr,
    /// Longest wait, in seconds, for running tasks after SIGTERM.
    #[arg(long, env = "PROVOST_DRAIN_SECONDS", default_value_t = 3600)]
    pub drain_seconds: u64,
}

/// Plans the memory of a worker, with what its provers take of it.
fn memory_plan(args: &RunArgs, pinned_bytes: u64) -> anyhow::Result<MemoryPlan> {
    let limit = args
        .memory_limit_bytes
        .filter(|limit| *limit > 0)
        .or_else(memory::cgroup_limit)
        .context(
            "cannot read this machine's memory from /proc/meminfo: set PROVOST_MEMORY_LIMIT_BYTES",
        )?;
    let machine = Machine {
        class: args.class,
        limit_bytes: limit,
        pinned_bytes,
        units: args.units,
    };
    Ok(memory::plan(machine, args.capacity, args.prover_permits)?)
}

/// The parts that every role needs.
struct Worker {
    args: RunArgs,
    plan: MemoryPlan,
    /// The largest shards that it proves, in trace elements.
    shard_elements: u64,
    artifacts: Artifacts,
    client: Client,
    status: Arc<Status>,
    tracker: TaskTracker,
    health: Health,
}

/// Runs the worker, whose program took so long to load. Returns when it has drained after SIGTERM, or when it wants to be replaced.
pub async fn run(args: RunArgs, loaded: Duration) -> anyhow::Result<u8> {
    let main = Instant::now();
    let began = main - loaded;
    // First of all: what runs as process 1 is not even ended by a signal that it does not listen for.
    provost_device::unguard();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    // Before anything registers: what cannot prove should not begin to execute either.
    let Found {
        device,
        pinned_bytes,
        shard_elements,
    } = match args.class.proves() {
        true => tokio::select! {
            found = engine::look() => found?,
            _ = terminate.recv() => return Ok(0),
        },
        false => Found::default(),
    };
    let start = Start {
        load_seconds: loaded.as_secs_f64(),
        device_seconds: main.elapsed().as_secs_f64(),
        ..Start::default()
    };
    let plan = memory_plan(&args, pinned_bytes)?;
    tracing::info!(?plan, ?device, class = ?args.class, name = args.name, "worker starts");
    let store = S3Store::new(S3Config::from_env()?);
    let link = Link::start(provost_link::Config {
        pod_uid: args.pod_uid.clone(),
        sp1_version: SP1_CIRCUIT_VERSION.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        spot: args.spot,
        ..provost_link::Config::new(vec![args.coordinator.clone()], args.name.clone())
    })
    .context("PROVOST_COORDINATOR")?;
    let listener = listen(args.status_address)
        .await
        .with_context(|| format!("cannot listen on {}", args.status_address))?;
    let mut roles = Vec::new();
    if args.class.executes() {
        roles.push(status::EXECUTE);
    }
    if args.class.proves() {
        roles.push(status::PROVE);
    }
    let worker = Arc::new(Worker {
        artifacts: Artifacts::new(Arc::new(store), args.shards_ahead),
        status: Status::new((began, start), &roles, plan.clone(), device, link.clone()),
        client: Client::new(link),
        tracker: TaskTracker::new(),
        health: Health::default(),
        plan,
        shard_elements,
        args,
    });
    tokio::spawn(status::serve(listener, worker.status.clone()));

    let mut building = tokio::task::JoinSet::new();
    if worker.args.class.executes() {
        worker.clone().begin_execute().await?;
    }
    if worker.args.class.proves() {
        building.spawn(worker.clone().build_in_time());
    }
    if worker.status.device().is_some() {
        tokio::spawn(worker.clone().watch_device());
        tokio::spawn(worker.clone().tell_free());
    }
    let end = loop {
        tokio::select! {
            _ = terminate.recv() => break Ok(()),
            Some(built) = building.join_next() => {
                let built = built.context("the proving engine's start panicked").flatten();
                if built.is_err() {
                    break built;
                }
            }
            () = worker.health.doubted() => break Ok(()),
        }
    };
    // Nobody else knows which of its node's GPUs it had.
    let gpu = worker.status.device().map(|device| device.uuid.clone());
    let end = end.map_err(|error| match &gpu {
        Some(gpu) => error.context(format!("on GPU {gpu}")),
        None => error,
    });
    if let Err(error) = &end {
        let error = format!("{error:#}");
        tracing::error!(error, "this process cannot prove, and ends");
        // A device that is lost may be why.
        if gpu.is_some() {
            worker.health.doubt(Doubt::Prover(error));
        }
    }
    // The other role may have tasks.
    worker.drain().await;
    let verdict = worker.verdict().await;
    // A device that is lost is why the engine was not built; other doubts came meanwhile.
    if !matches!(verdict, Some(Doubt::Device(_))) {
        end?;
    }
    Ok(match verdict {
        None => 0,
        Some(doubt) => {
            let gpu = gpu.unwrap_or_else(|| "none".to_owned());
            tracing::error!(?doubt, gpu, "this process is to be replaced");
            exit_code(&doubt)
        }
    })
}

/// The code by which the operator tells why a process ended.
const fn exit_code(doubt: &Doubt) -> u8 {
    match doubt {
        Doubt::Executor(_) => RECYCLE,
        Doubt::Prover(_) => PROVER_BROKE,
        Doubt::Device(_) => NO_DEVICE,
    }
}

/// What a role offers to its tasks.
struct Room {
    /// Memory in GiB.
    weight: u32,
    /// How many it proves at once; 0 if it proves none.
    provers: u32,
    device: Option<provost_link::Device>,
    /// The largest shards that it proves, in trace elements.
    shard_elements: u64,
}

fn told(device: &Device) -> provost_link::Device {
    let version = |(major, minor)| format!("{major}.{minor}");
    provost_link::Device {
        name: device.name.clone(),
        memory_bytes: device.total_bytes,
        capability: version(device.capability),
        driver: version(device.driver),
        free_bytes: device.free_bytes,
        driver_version: device.driver_version.clone().unwrap_or_default(),
        uuid: device.uuid.clone(),
    }
}

impl Worker {
    async fn begin_execute(self: Arc<Self>) -> anyhow::Result<()> {
        let started = std::time::Instant::now();
        let (opts, artifacts) = (engine::core_opts(&self.plan), self.artifacts.clone());
        let weight = self.plan.execute_weight as usize;
        let engine =
            tokio::task::spawn_blocking(move || ExecuteEngine::new(opts, artifacts, weight))
                .await??;
        tracing::info!(
            seconds = started.elapsed().as_secs_f32(),
            "execute role built"
        );
        self.begin(
            status::EXECUTE,
            WorkerType::Cpu,
            Room {
                weight: self.plan.execute_weight,
                provers: 0,
                device: None,
                shard_elements: 0,
            },
            Engine::Execute(Arc::new(engine)),
            None,
        );
        Ok(())
    }

    /// A device on which the engine's start hangs answers to whoever asks no more than that it is there.
    async fn build_in_time(self: Arc<Self>) -> anyhow::Result<()> {
        let built = self.clone().begin_prove();
        if self.status.device().is_none() {
            return built.await;
        }
        let late = format!("the proving engine was not built in {} s", BUILD.as_secs());
        match tokio::time::timeout(BUILD, built).await {
            Ok(built) => built,
            Err(_) => {
                self.health.doubt(Doubt::Device(late.clone()));
                Err(anyhow::Error::msg(late))
            }
        }
    }

    async fn begin_prove(self: Arc<Self>) -> anyhow::Result<()> {
        let (prover, steps) = ProveEngine::build(
            Build {
                opts: engine::core_opts(&self.plan),
                permits: self.plan.prover_permits,
                known_answer: self.args.known_answer,
            },
            self.artifacts.clone(),
            self.client.clone(),
        )
        .await?;
        tracing::info!(seconds = steps.total(), ?steps, "prove role built");
        self.begin(
            status::PROVE,
            WorkerType::Gpu,
            Room {
                weight: self.plan.prove_weight,
                provers: u32::try_from(self.plan.prover_permits).unwrap_or(u32::MAX),
                device: self.status.device().map(told),
                shard_elements: self.shard_elements,
            },
            Engine::Prove(Arc::new(prover)),
            Some(&steps),
        );
        Ok(())
    }

    /// Plays a role, whose engine is built: by these steps if it proves.
    fn begin(
        &self,
        role: &'static str,
        class: WorkerType,
        room: Room,
        engine: Engine,
        steps: Option<&Steps>,
    ) {
        let orders = self.client.link().add_role(Role {
            name: role.to_owned(),
            class,
            max_weight: room.weight,
            provers: room.provers,
            device: room.device,
            shard_elements: room.shard_elements,
        });
        self.status.built(role, steps);
        tokio::spawn(tasks::run(
            self.client.clone(),
            engine,
            orders,
            self.tracker.clone(),
            self.health.clone(),
        ));
    }

    /// Looks at the GPU while tasks run.
    async fn watch_device(self: Arc<Self>) {
        let busy = || !self.tracker.is_empty();
        let find = engine::find_device;
        device::watch(find, busy, device::EVERY, device::HUNG, &self.health).await;
    }

    /// Tells what the GPU has free.
    async fn tell_free(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(free) = engine::device_free_bytes().await {
                self.client.link().device_memory(free);
            }
        }
    }

    /// What is against this process at its end. A lost device is told apart from a process in doubt: it may be lost for the next one, too.
    async fn verdict(&self) -> Option<Doubt> {
        let known = self.health.known()?;
        if self.status.device().is_some()
            && let Some(why) = device::lost(engine::find_device, device::PATIENCE).await
        {
            self.health.doubt(Doubt::Device(why));
        }
        Some(self.health.known().unwrap_or(known))
    }

    /// Takes no new tasks, waits for those that run, and until the coordinator has taken note of how they ended.
    async fn drain(&self) {
        tracing::info!("draining: no new tasks");
        let link = self.client.link();
        let limit = Duration::from_secs(self.args.drain_seconds);
        link.drain_within(limit);
        self.tracker.close();
        let mut status = link.status_changes();
        let drained = async {
            self.tracker.wait().await;
            let _ = status
                .wait_for(|status| status.draining && status.kept.is_flushed())
                .await;
        };
        if tokio::time::timeout(limit, drained).await.is_err() {
            tracing::warn!("tasks still ran when the time to drain was up");
        }
    }
}
