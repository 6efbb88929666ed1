//! `worker-sim run`: plays its workers until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use provost_artifacts::{S3Config, S3Store, Store};
use provost_link::Timing;

use crate::class::{Capacity, Class, Units};
use crate::faults::Fault;
use crate::local::LocalArtifacts;
use crate::profile::Profile;
use crate::simulator::{Settings, Simulator};
use crate::status;

/// The exit code that asks for a fresh process.
const RECYCLE: u8 = 75;

/// What `worker-sim run` takes. What the operator sets for a worker's pod means what it means to the real worker.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RunArgs {
    /// The coordinator's addresses, http://host:port, with commas in between. A name with several addresses stands for as many replicas.
    #[arg(
        long,
        env = "PROVOST_COORDINATOR",
        value_delimiter = ',',
        required = true
    )]
    coordinator: Vec<String>,
    /// The pod's UID.
    #[arg(long, env = "POD_UID", default_value = "")]
    pod_uid: String,
    /// The name to register under; several workers are NAME-0 and on.
    #[arg(long, env = "POD_NAME", default_value = "sim")]
    name: String,
    /// How many workers to be.
    #[arg(long, env = "PROVOST_SIM_WORKERS", default_value_t = 1)]
    workers: usize,
    /// Which roles to play.
    #[arg(long, env = "PROVOST_CLASS", default_value = "All")]
    class: Class,
    /// Task weight that each worker offers, in GiB.
    #[arg(long, env = "PROVOST_CAPACITY", default_value_t = 24)]
    capacity: u32,
    /// How much of it the execute role offers in a worker of class All: 14 for a Groth16 wrap, 60 for a Plonk wrap.
    #[arg(long, env = "PROVOST_SIM_EXECUTE_CAPACITY")]
    execute_capacity: Option<u32>,
    /// What tasks weigh.
    #[command(flatten)]
    units: Units,
    /// The graph of proofs: default, small, mixed, 10k, a JSON file, or JSON.
    #[arg(long, env = "PROVOST_SIM_PROFILE", default_value = "default")]
    profile: String,
    /// Factor on all durations, in place of the profile's.
    #[arg(long, env = "PROVOST_SIM_SCALE")]
    scale: Option<f64>,
    /// Keep no artifacts: pure load on the coordinator.
    #[arg(long, env = "PROVOST_SIM_NO_STORE")]
    no_store: bool,
    /// Keep what tasks hand to each other in this process, which has to run all of them: load on the coordinator, with finished proofs.
    #[arg(long, env = "PROVOST_SIM_LOCAL_ARTIFACTS", conflicts_with = "no_store")]
    local_artifacts: bool,
    /// A fault, as JSON, or a list of them: '{"do":"crash","at":"running","task":"PROVE_SHARD","nth":3}'. May be repeated.
    #[arg(long = "fault", env = "PROVOST_SIM_FAULTS")]
    faults: Vec<String>,
    /// Where chances are drawn from.
    #[arg(long, env = "PROVOST_SIM_SEED", default_value_t = 1)]
    seed: u64,
    /// Milliseconds between beats, in place of the real worker's.
    #[arg(long, env = "PROVOST_SIM_BEAT_MS")]
    beat_ms: Option<u64>,
    /// A file to append a line of JSON to for each beginning and end of an attempt at a task.
    #[arg(long, env = "PROVOST_SIM_LOG")]
    log: Option<PathBuf>,
    /// Milliseconds until the prove role is built.
    #[arg(long, env = "PROVOST_SIM_BUILD_MS", default_value_t = 0)]
    build_ms: u64,
    /// Where to serve /healthz, /readyz, /status and /faults.
    #[arg(long, env = "PROVOST_STATUS_ADDRESS", default_value = "0.0.0.0:9090")]
    status_address: SocketAddr,
    /// Say that this node may be taken away at short notice.
    #[arg(long, env = "PROVOST_SPOT")]
    spot: bool,
    /// Longest wait, in seconds, for running tasks after SIGTERM.
    #[arg(long, env = "PROVOST_DRAIN_SECONDS", default_value_t = 3600)]
    drain_seconds: u64,
}

impl RunArgs {
    fn settings(&self) -> anyhow::Result<Settings> {
        let mut profile = Profile::load(&self.profile)?;
        if let Some(scale) = self.scale {
            anyhow::ensure!(scale.is_finite() && scale >= 0.0, "--scale is 0 or more");
            profile.graph.scale = scale;
        }
        let shared = || S3Config::from_env().map(S3Store::new);
        let store: Option<Arc<dyn Store>> = match (self.no_store, self.local_artifacts) {
            (true, _) => None,
            (false, true) => Some(Arc::new(LocalArtifacts::new(shared()?))),
            (false, false) => Some(Arc::new(shared()?)),
        };
        let capacity =
            Capacity::share(self.class, self.capacity, self.execute_capacity, self.units);
        let mut timing = Timing::default();
        if let Some(ms) = self.beat_ms {
            timing.beat = Duration::from_millis(ms.max(1));
        }
        Ok(Settings {
            name: self.name.clone(),
            profile,
            store,
            timing,
            pod_uid: self.pod_uid.clone(),
            log: self.log.clone(),
            build: Duration::from_millis(self.build_ms),
            seed: self.seed,
            spot: self.spot,
            ..Settings::new(self.coordinator.clone(), self.workers, capacity)
        })
    }
}

/// Plays the workers. Returns when they have drained after SIGTERM, or when they want to be replaced.
pub(crate) async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let settings = args.settings()?;
    let faults: Vec<_> = args.faults.iter().map(|text| Fault::parse(text)).collect();
    let listener = tokio::net::TcpListener::bind(args.status_address)
        .await
        .with_context(|| format!("cannot listen on {}", args.status_address))?;
    tracing::info!(
        name = args.name,
        workers = args.workers,
        capacity = ?settings.capacity,
        "simulated workers start"
    );
    let simulator = Simulator::start(settings)?;
    for fault in faults {
        for fault in fault? {
            simulator.inject(fault)?;
        }
    }
    let fleet = simulator.fleet().clone();
    tokio::spawn(status::serve(listener, fleet.clone()));

    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            () = tokio::time::sleep(Duration::from_millis(200)) => if fleet.is_poisoned() {
                break;
            },
        }
    }
    simulator
        .drain(Duration::from_secs(args.drain_seconds))
        .await;
    Ok(match fleet.is_poisoned() {
        true => ExitCode::from(RECYCLE),
        false => ExitCode::SUCCESS,
    })
}
