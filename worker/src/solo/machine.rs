//! Coordinator and store on loopback, and proofs through them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use provost_artifacts::id::{self, ProofTag};
use provost_artifacts::server::{self, Credentials};
use provost_artifacts::{Kind, S3Config, S3Store, Store as _, codec};
use provost_coordinator::{
    Config, Coordinator, Doors, MemoryState, ProofOutcome, ProofResult, ProofSpec, Root, ShardSize,
    TaskChange, WorkerEvent,
};
use sp1_core_machine::io::SP1Stdin;
use sp1_prover::worker::ProofFromNetwork;
use sp1_prover_types::network_base_types::ProofMode;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::local::Mode;

const BUCKET: &str = "provost";
/// How often the coordinator's memory is looked at: it tells nobody by itself.
const LOOK: Duration = Duration::from_millis(1);

/// The parts that are no workers.
pub(super) struct Machine {
    coordinator: Coordinator,
    state: Arc<MemoryState>,
    store: S3Store,
    config: S3Config,
    address: String,
    _folder: TempDir,
    _stop: DropGuard,
}

/// A proof or an execution, and what was done for it.
pub(super) struct Done {
    /// `None` of an execution.
    pub(super) proof: Option<ProofFromNetwork>,
    /// What the worker said of it: JSON.
    pub(super) said: String,
    /// How large its shards are; `None` where it has none.
    pub(super) shards: Option<ShardSize>,
    /// From the submission until the coordinator knew of the end.
    pub(super) seconds: f64,
    pub(super) changes: Vec<TaskChange>,
}

impl Machine {
    /// Starts the store in a folder of its own under `data`, and the coordinator.
    pub(super) async fn start(data: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("provost-solo-")
            .tempdir_in(data)
            .with_context(|| format!("cannot write to {}: see --data", data.display()))?;
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let config = S3Config {
            endpoint: format!("http://{}", listener.local_addr()?),
            region: "us-east-1".to_owned(),
            bucket: BUCKET.to_owned(),
            access_key: format!("{:032x}", rand::random::<u128>()),
            secret_key: format!("{:032x}", rand::random::<u128>()),
            retry_total: Duration::from_secs(20),
            in_flight_bytes: S3Config::default_in_flight_bytes(),
        };
        let credentials = Credentials {
            access_key: config.access_key.clone(),
            secret_key: config.secret_key.clone(),
        };
        let (root, stopped) = (folder.path().to_owned(), stop.clone().cancelled_owned());
        tokio::spawn(server::serve(listener, root, credentials, BUCKET, stopped));

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(MemoryState::new());
        let coordinator = Coordinator::start(Config::default(), state.clone(), stop.clone());
        let serving = coordinator.clone();
        tokio::spawn(async move { serving.serve(listener, Doors::NATIVE).await });
        Ok(Self {
            coordinator,
            state,
            store: S3Store::new(config.clone()),
            config,
            address,
            _folder: folder,
            _stop: stop.drop_guard(),
        })
    }

    /// Where the coordinator and the store are, in the workers' environment.
    pub(super) fn environment(&self) -> [(&'static str, String); 5] {
        let config = &self.config;
        [
            ("PROVOST_COORDINATOR", self.address.clone()),
            ("PROVOST_STORE_ENDPOINT", config.endpoint.clone()),
            ("PROVOST_STORE_BUCKET", config.bucket.clone()),
            ("AWS_ACCESS_KEY_ID", config.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", config.secret_key.clone()),
        ]
    }

    /// Waits until so many roles are played.
    pub(super) async fn until_workers(&self, roles: usize) {
        loop {
            let workers = self.coordinator.workers().await;
            if workers.iter().filter(|worker| worker.available).count() >= roles {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Returns when the coordinator wants a worker replaced, with the reason: that takes a cluster.
    pub(super) async fn recycled(&self) -> String {
        let mut events = self.coordinator.worker_events();
        loop {
            match events.recv().await {
                Ok(WorkerEvent::Recycle { pod, why }) => {
                    return format!("the coordinator wants worker {pod} replaced: {why}");
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Makes a proof, or executes, and clears away what was stored for it. It gets so long.
    pub(super) async fn work(
        &self,
        number: usize,
        elf: &[u8],
        stdin: &SP1Stdin,
        mode: Mode,
        patience: Duration,
    ) -> anyhow::Result<Done> {
        let asked = Instant::now();
        let proof_id = format!("solo/{number}/{:016x}", rand::random::<u64>());
        let tag = ProofTag::of(&proof_id);
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let now = u64::try_from(now)?;
        let program = id::program_id(elf);
        let [input, output] =
            [rand::random(), rand::random()].map(|random| id::mint(tag, now, random));
        let bytes = codec::encode_bytes(elf)?;
        self.store
            .put(Kind::Program, &program, bytes.into())
            .await?;
        let bytes = codec::compress(&bincode::serialize(stdin)?)?;
        self.store.put(Kind::Stdin, &input, bytes.into()).await?;

        let inputs = [
            program,
            input.clone(),
            i32::from(ProofMode::from(mode)).to_string(),
            u64::MAX.to_string(),
            String::new(),
            r#"{"stdin_private":false}"#.to_owned(),
        ];
        let (kind, outputs) = match mode {
            Mode::Execute => (Root::Execute, Vec::new()),
            Mode::Core | Mode::Compressed => (Root::Prove, vec![output]),
        };
        let spec = ProofSpec {
            inputs: inputs.to_vec(),
            outputs: outputs.clone(),
            requester: "solo".to_owned(),
            created_at_ms: now.try_into()?,
            ..ProofSpec::new(proof_id.as_str(), kind)
        };
        self.state.take_changes();
        self.coordinator.submit_proof(spec).await?;
        let outcome = match tokio::time::timeout(patience, self.outcome(&proof_id)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let so_far = self.so_far(&proof_id).await;
                let reason = format!("not done within {patience:?} ({so_far}): see --patience");
                self.coordinator.cancel_proof(&proof_id, &reason).await;
                bail!(reason);
            }
        };
        let changes = self.state.take_changes();
        let said = match outcome.result {
            ProofResult::Succeeded { extra_data } => extra_data,
            ProofResult::Failed { failure, .. } => {
                bail!("{}: {}", failure.class, failure.message)
            }
            ProofResult::Cancelled { reason } => bail!("cancelled: {reason}"),
        };
        let proof = match outputs.first() {
            Some(output) => {
                let stored = self.store.get(Kind::Proof, output).await?;
                Some(bincode::deserialize(&codec::decompress(&stored)?)?)
            }
            None => None,
        };
        // With all that goes to the store and comes from it.
        let seconds = asked.elapsed().as_secs_f64();
        if let Some(output) = outputs.first() {
            self.store.delete(Kind::Proof, output).await?;
        }
        self.store.delete(Kind::Stdin, &input).await?;
        self.sweep(tag).await?;
        Ok(Done {
            proof,
            said,
            shards: outcome.progress.shards,
            seconds,
            changes,
        })
    }

    async fn outcome(&self, proof_id: &str) -> ProofOutcome {
        loop {
            match self.state.outcome(proof_id) {
                Some(outcome) => return outcome,
                None => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// How far a proof is and what it waits for, for people.
    async fn so_far(&self, proof_id: &str) -> String {
        let mut so_far = match self.state.progress_of(proof_id) {
            Some(progress) => format!("{} of {} tasks done", progress.done, progress.total),
            None => "no task done".to_owned(),
        };
        let explanation = self.coordinator.explain(proof_id).await;
        for wait in explanation.iter().flat_map(|waiting| &waiting.waits) {
            so_far.push_str("; ");
            so_far.push_str(&wait.to_string());
        }
        so_far
    }

    /// Deletes what the tasks of a proof left.
    async fn sweep(&self, tag: ProofTag) -> anyhow::Result<()> {
        let all = self.store.list(Kind::Artifact).await?;
        let own = all.into_iter().map(|object| object.id);
        let own: Vec<_> = own.filter(|id| tag.owns(id)).collect();
        Ok(self.store.delete_many(Kind::Artifact, &own).await?)
    }
}
