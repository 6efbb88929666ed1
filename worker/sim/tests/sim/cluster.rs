//! A coordinator with its state in memory, a store, and what tests ask of them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use provost_artifacts::id::ProofTag;
use provost_artifacts::server::{Credentials, serve};
use provost_artifacts::{Kind, MemoryStore, S3Config, S3Store, Store, codec, id};
use provost_coordinator::{
    Config, Coordinator, Doors, FailureClass, MemoryState, ProofOutcome, ProofResult, ProofSpec,
    RetryPolicy, Root,
};
use provost_proto::worker::TaskType;
use provost_worker_sim::graph::Mode;
use provost_worker_sim::profile::{Graph, Profile};
use provost_worker_sim::{Capacity, Class, Settings, Simulator, Timing, Units};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Nothing here takes longer unless it is broken: other builds may keep this machine busy.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Short waits, so that tests are short; liveness long enough for a busy machine. Nobody replaces a worker here, so it is not soon given up for what it does
/// not stop in time.
pub(crate) fn config() -> Config {
    Config {
        lost_grace: Duration::from_millis(500),
        leaf_liveness: Duration::from_secs(2),
        root_liveness: Duration::from_secs(5),
        retry: RetryPolicy {
            backoff: 20,
            max_backoff: 200,
            ..RetryPolicy::default()
        },
        resend_task: Duration::from_secs(1),
        resend_result: Duration::from_secs(1),
        ..Config::default()
    }
}

/// Links that beat, and come back, as quickly as [`config`] expects.
fn timing() -> Timing {
    Timing {
        beat: Duration::from_millis(100),
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(200),
        ..Timing::default()
    }
}

/// Where the coordinator and the store are.
pub(crate) struct Cluster {
    pub(crate) coordinator: Coordinator,
    pub(crate) state: Arc<MemoryState>,
    pub(crate) address: String,
    pub(crate) store: Arc<dyn Store>,
    program: String,
    _server: Option<StoreServer>,
    _stop: DropGuard,
}

/// The product's own store server, in a folder of its own.
pub(crate) struct StoreServer {
    pub(crate) config: S3Config,
    _stop: DropGuard,
    _folder: TempDir,
}

impl StoreServer {
    pub(crate) async fn start() -> Self {
        // In memory where there is such a folder: this is no test of the disk.
        let shm = Path::new("/dev/shm");
        let folder = match shm.is_dir() {
            true => tempfile::tempdir_in(shm),
            false => tempfile::tempdir(),
        };
        let folder = folder.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = s3_config(listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let credentials = Credentials {
            access_key: config.access_key.clone(),
            secret_key: config.secret_key.clone(),
        };
        let root = folder.path().to_owned();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(serve(listener, root, credentials, "provost", stopped));
        Self {
            config,
            _stop: stop.drop_guard(),
            _folder: folder,
        }
    }
}

fn s3_config(address: SocketAddr) -> S3Config {
    S3Config {
        endpoint: format!("http://{address}"),
        region: "us-east-1".to_owned(),
        bucket: "provost".to_owned(),
        access_key: "test-access".to_owned(),
        secret_key: "test-secret".to_owned(),
        retry_total: Duration::from_secs(20),
        in_flight_bytes: S3Config::default_in_flight_bytes(),
    }
}

impl Cluster {
    /// With artifacts in this process.
    pub(crate) async fn start() -> Self {
        Self::with(config(), Arc::new(MemoryStore::new()), None).await
    }

    /// With artifacts in the store that Provost installs.
    pub(crate) async fn with_server(config: Config) -> Self {
        let server = StoreServer::start().await;
        let store = Arc::new(S3Store::new(server.config.clone()));
        Self::with(config, store, Some(server)).await
    }

    pub(crate) async fn with(
        config: Config,
        store: Arc<dyn Store>,
        server: Option<StoreServer>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let state = Arc::new(MemoryState::new());
        let coordinator = Coordinator::start(config, state.clone(), stop.clone());
        let serving = coordinator.clone();
        tokio::spawn(async move { serving.serve(listener, Doors::NATIVE).await });
        let elf = b"\x7fELF";
        let program = id::program_id(elf);
        let bytes = codec::encode_bytes(elf).unwrap().into();
        store.put(Kind::Program, &program, bytes).await.unwrap();
        Self {
            coordinator,
            state,
            address,
            store,
            program,
            _server: server,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) fn store_config(&self) -> S3Config {
        self._server.as_ref().unwrap().config.clone()
    }

    /// Settings of workers of a class, with the default profile.
    pub(crate) fn settings(&self, class: Class, workers: usize) -> Settings {
        // Room for every wrap.
        let capacity = match class {
            Class::Gpu => 24,
            Class::Cpu | Class::All => 100,
        };
        Settings {
            name: format!("{class:?}").to_lowercase(),
            store: Some(self.store.clone()),
            timing: timing(),
            ..Settings::new(
                vec![self.address.clone()],
                workers,
                Capacity::share(class, capacity, Some(76), Units::default()),
            )
        }
    }

    /// Starts workers, and waits until the coordinator knows them.
    pub(crate) async fn workers(&self, class: Class, workers: usize, graph: &Graph) -> Simulator {
        let settings = Settings {
            profile: Profile {
                graph: graph.clone(),
                variants: Vec::new(),
            },
            ..self.settings(class, workers)
        };
        begin(settings).await
    }

    /// Submits a proof with a stdin of one hint.
    pub(crate) async fn submit(&self, proof: &str, mode: Option<Mode>, hint: &str, limit: &str) {
        let stdin = format!("stdin-{proof}");
        let bytes = codec::encode_stdin(&[hint.as_bytes().to_vec()]);
        let bytes: Bytes = codec::compress(&bytes).unwrap().into();
        self.store.put(Kind::Stdin, &stdin, bytes).await.unwrap();
        let (number, kind) = match mode {
            None => ("0", Root::Execute),
            Some(Mode::Core) => ("1", Root::Prove),
            Some(Mode::Compressed) => ("2", Root::Prove),
            Some(Mode::Plonk) => ("3", Root::Prove),
            Some(Mode::Groth16) => ("4", Root::Prove),
        };
        let inputs = [&self.program, &stdin, number, limit, "", "{}"].map(str::to_owned);
        let spec = ProofSpec {
            inputs: inputs.to_vec(),
            outputs: mode.map(|_| output(proof)).into_iter().collect(),
            requester: "tests".to_owned(),
            created_at_ms: 1,
            ..ProofSpec::new(proof, kind)
        };
        self.coordinator.submit_proof(spec).await.unwrap();
    }

    /// Submits a compressed proof that looks as the workers' profile says.
    pub(crate) async fn prove(&self, proof: &str) {
        self.submit(proof, Some(Mode::Compressed), "", "0").await;
    }

    pub(crate) async fn outcome(&self, proof: &str) -> ProofOutcome {
        self.outcome_within(proof, LIMIT).await
    }

    pub(crate) async fn outcome_within(&self, proof: &str, limit: Duration) -> ProofOutcome {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(outcome) = self.state.outcome(proof) {
                return outcome;
            }
            if Instant::now() >= deadline {
                let progress = self.coordinator.progress(proof).await;
                let why = self.coordinator.explain(proof).await;
                let workers = self.coordinator.workers().await;
                panic!("{proof} has not ended: {progress:#?}, {why:#?}, {workers:#?}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What CompleteProof said of it.
    pub(crate) async fn success(&self, proof: &str) -> serde_json::Value {
        match self.outcome(proof).await.result {
            ProofResult::Succeeded { extra_data } => serde_json::from_str(&extra_data).unwrap(),
            other => panic!("{proof}: {other:?}"),
        }
    }

    /// Why it failed.
    pub(crate) async fn failure(&self, proof: &str) -> (FailureClass, String) {
        match self.outcome(proof).await.result {
            ProofResult::Failed { failure, .. } => (failure.class, failure.message),
            other => panic!("{proof}: {other:?}"),
        }
    }

    /// Deletes what a proof left between its tasks, found by its tag as the operator finds it. Says how much that was.
    pub(crate) async fn sweep(&self, proof: &str) -> usize {
        let tag = ProofTag::of(proof);
        let all = self.store.list(Kind::Artifact).await.unwrap();
        let own = all.into_iter().map(|object| object.id);
        let own: Vec<_> = own.filter(|id| tag.owns(id)).collect();
        self.store.delete_many(Kind::Artifact, &own).await.unwrap();
        own.len()
    }

    /// The store holds exactly the programs, stdins and proofs that it should, and nothing between tasks.
    pub(crate) async fn assert_clean(&self, proofs: usize) {
        let count = async |kind| self.store.list(kind).await.unwrap().len();
        assert_eq!(count(Kind::Artifact).await, 0, "artifacts are left over");
        assert_eq!(count(Kind::Proof).await, proofs);
        assert_eq!(count(Kind::Program).await, 1);
        self.assert_idle().await;
    }

    /// The coordinator has nothing in hand.
    pub(crate) async fn assert_idle(&self) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let stats = self.coordinator.stats().await;
            let workers = self.coordinator.workers().await;
            let weight: u64 = workers.iter().map(|w| u64::from(w.used_weight)).sum();
            let left = (stats.active_proofs, stats.active_tasks, stats.subscriptions);
            if left == (0, 0, 0) && weight == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "{left:?}, weight {weight}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The artifact that a proof becomes.
pub(crate) fn output(proof: &str) -> String {
    format!("proof-{proof}")
}

/// Starts workers, and waits until the coordinator knows them.
pub(crate) async fn begin(settings: Settings) -> Simulator {
    let simulator = Simulator::start(settings).unwrap();
    let connected = simulator.wait_connected();
    tokio::time::timeout(LIMIT, connected).await.unwrap();
    simulator
}

/// Waits until there is something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const TYPES: [TaskType; 9] = [
    TaskType::Controller,
    TaskType::CoreExecute,
    TaskType::SetupVkey,
    TaskType::ProveShard,
    TaskType::RecursionDeferred,
    TaskType::RecursionReduce,
    TaskType::ShrinkWrap,
    TaskType::Groth16Wrap,
    TaskType::PlonkWrap,
];

/// Orders beyond those that `proofs` proofs of this mode take when nothing goes wrong, by task type.
pub(crate) fn again(
    simulators: &[&Simulator],
    graph: &Graph,
    mode: Mode,
    proofs: u64,
) -> Vec<(&'static str, i64)> {
    let profile = Profile {
        graph: graph.clone(),
        variants: Vec::new(),
    };
    let plan = profile.plan("any", None).unwrap();
    let started = |kind| -> u64 {
        let all = simulators.iter().map(|s| s.stats().of(kind).started);
        all.sum()
    };
    let more = TYPES.map(|kind| {
        let more = started(kind) as i64 - (plan.tasks(mode, kind) * proofs) as i64;
        (kind.as_str_name(), more)
    });
    more.into_iter().filter(|(_, more)| *more != 0).collect()
}

/// A graph of some shards, whose tasks take a few milliseconds.
pub(crate) fn graph(shards: u32) -> Graph {
    Graph {
        shards,
        ..Graph::default()
    }
}

/// The same graph, with ProveShards that take so many milliseconds.
pub(crate) fn slow_shards(shards: u32, ms: f64) -> Graph {
    let mut graph = graph(shards);
    let span = graph.durations.get_mut("PROVE_SHARD").unwrap();
    (span.ms, span.jitter) = (ms, 0.0);
    graph
}
