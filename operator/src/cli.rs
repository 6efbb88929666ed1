//! The command line.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::task_settings::{TaskTimeout, TaskWeight, duration};

/// The Provost operator.
#[derive(Debug, Parser)]
#[command(name = "provost-operator", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
    /// Log as JSON, one object a line.
    #[arg(long, global = true, env = "PROVOST_LOG_JSON")]
    pub log_json: bool,
}

impl Cli {
    /// What to do; `run` unless told otherwise.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Run(self.run))
    }
}

/// What the binary does.
#[derive(Debug, Subcommand)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one, parsed at the start"
)]
pub enum Command {
    /// Run controllers, coordinator and servers (the default).
    Run(RunArgs),
    /// Run the embedded artifact store, an S3-compatible server. Keys: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.
    Store(StoreArgs),
}

/// Settings of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Namespace of the operator, its pools and its workers.
    #[arg(long, env = "POD_NAMESPACE", default_value = "provost-system")]
    pub namespace: String,
    /// Serve the ProofRequests of this namespace only. Default: of all namespaces.
    #[arg(long, env = "PROVOST_WATCH_NAMESPACE")]
    pub watch_namespace: Option<String>,
    /// Name of this pod, for events.
    #[arg(long, env = "POD_NAME")]
    pub pod_name: Option<String>,
    /// Where workers connect (gRPC, plaintext).
    #[arg(long, default_value = "[::]:50051")]
    pub grpc_listen: SocketAddr,
    /// Where workers of SP1's own cluster connect (gRPC by SP1's `worker.proto`, plaintext). Default: nowhere. They keep nothing for the next leader: a
    /// proof whose Controller or CoreExecute is theirs begins again when the leader changes.
    #[arg(long, env = "PROVOST_STOCK_GRPC_LISTEN")]
    pub stock_grpc_listen: Option<SocketAddr>,
    /// Where users upload and download (HTTP).
    #[arg(long, default_value = "[::]:8080")]
    pub http_listen: SocketAddr,
    /// Where /metrics, /healthz and /readyz are.
    #[arg(long, default_value = "[::]:9090")]
    pub metrics_listen: SocketAddr,
    /// Image of workers whose pool names none.
    #[arg(
        long,
        env = "PROVOST_WORKER_IMAGE",
        default_value = "localhost/provost-worker:dev"
    )]
    pub worker_image: String,
    /// Image of workers whose pool asks for a GPU and names none. Default: none, and such a pool has to name one.
    #[arg(long, env = "PROVOST_WORKER_GPU_IMAGE")]
    pub worker_gpu_image: Option<String>,
    /// URL under which workers reach --grpc-listen. Default: the headless Service provost-coordinator in --namespace, which names every replica.
    #[arg(long, env = "PROVOST_COORDINATOR")]
    pub coordinator_url: Option<String>,
    /// URL of the artifact store. Default: the Service provost-store in --namespace.
    #[arg(long, env = "PROVOST_STORE_ENDPOINT")]
    pub store_endpoint: Option<String>,
    /// Bucket of the artifact store, of this installation alone: what none of its requests names is removed.
    #[arg(long, env = "PROVOST_STORE_BUCKET", default_value = "provost")]
    pub store_bucket: String,
    /// Region of the artifact store.
    #[arg(long, env = "PROVOST_STORE_REGION", default_value = "us-east-1")]
    pub store_region: String,
    /// Secret with the store's keys, access-key and secret-key; made with random keys if absent.
    #[arg(long, default_value = "provost-store")]
    pub store_secret: String,
    /// Most MiB on their way to and from the artifact store at a time, in the operator and in each worker. Default: an eighth of each
    /// process's memory.
    #[arg(long, env = "PROVOST_STORE_IN_FLIGHT_MIB")]
    pub store_in_flight_mib: Option<NonZeroU32>,
    /// Most shards of an execution that are in the store and not proven yet: it waits before it makes more. Two for each prover that one proof is to keep busy are
    /// enough. Default: 256.
    #[arg(long, env = "PROVOST_SHARDS_AHEAD")]
    pub shards_ahead: Option<NonZeroU32>,
    /// Take requests of modes Groth16 and Plonk: for tests, since simulated workers alone wrap.
    #[arg(long, env = "PROVOST_SIMULATED_WRAPS", hide = true)]
    pub simulated_wraps: bool,
    /// ProofRequests reconciled at the same time.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// Writes of ProvingTasks and of progress to the API server, a second.
    #[arg(long, env = "PROVOST_WRITES_PER_SECOND", default_value_t = DEFAULT_WRITES)]
    pub writes_per_second: NonZeroU32,
    /// A task gets a ProvingTask object only if it runs for longer than this many milliseconds. 0: every task that runs.
    #[arg(long, env = "PROVOST_PERSIST_HORIZON_MS", default_value_t = 500)]
    pub persist_horizon_ms: u32,
    /// How long an attempt at a task of a type may take, such as ProveShard=45m; repeated, or separated by commas. One that takes longer is stopped and tried again
    /// elsewhere. Default: ProveShard and what follows it 30m, SetupVkey 10m, PlonkWrap and Groth16Wrap 1h, CoreExecute and ExecuteOnly 6h, Controller 24h.
    #[arg(
        long = "task-timeout",
        env = "PROVOST_TASK_TIMEOUTS",
        value_name = "TYPE=DURATION",
        value_delimiter = ','
    )]
    pub task_timeouts: Vec<TaskTimeout>,
    /// How long a proof may stand still: nothing happens, nothing of it waits for a worker, and none of its proving tasks runs. Then it begins again.
    #[arg(
        long,
        env = "PROVOST_STANDSTILL_TIMEOUT",
        value_name = "DURATION",
        default_value = "30m",
        value_parser = duration
    )]
    pub standstill_timeout: Duration,
    /// Memory in GiB that a task of a type takes on its worker, such as CoreExecute=6; repeated, or separated by commas. Both types of UtilVkeyMap weigh the same. Default: Controller and SetupVkey 1, UtilVkeyMap* 2,
    /// recursion 3, ProveShard, ExecuteOnly and ShrinkWrap 4, CoreExecute 8, Groth16Wrap 14, PlonkWrap 60.
    #[arg(
        long = "task-weight",
        env = "PROVOST_TASK_WEIGHTS",
        value_name = "TYPE=GIB",
        value_delimiter = ','
    )]
    pub task_weights: Vec<TaskWeight>,
}

/// Writes a second where nothing else is said: no burden for a control plane that many share.
const DEFAULT_WRITES: NonZeroU32 = NonZeroU32::new(100).unwrap();

impl RunArgs {
    /// URL of the coordinator for workers.
    pub fn coordinator_url(&self) -> String {
        self.coordinator_url
            .clone()
            .unwrap_or_else(|| format!("http://provost-coordinator.{}:50051", self.namespace))
    }

    /// URL of the store.
    pub fn store_endpoint(&self) -> String {
        self.store_endpoint
            .clone()
            .unwrap_or_else(|| format!("http://provost-store.{}:9000", self.namespace))
    }
}

/// Settings of `store`.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// Folder for the objects.
    #[arg(long)]
    pub data: PathBuf,
    /// Where to listen.
    #[arg(long, default_value = "[::]:9000")]
    pub listen: SocketAddr,
    /// Name of the only bucket.
    #[arg(long, env = "PROVOST_STORE_BUCKET", default_value = "provost")]
    pub bucket: String,
    /// Access key that clients use.
    #[arg(long, env = "AWS_ACCESS_KEY_ID", hide_env_values = true)]
    pub access_key: String,
    /// Secret key that clients use.
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    pub secret_key: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_is_the_default_and_takes_flags() {
        let cli = Cli::parse_from(["provost-operator", "--namespace", "other"]);
        let Command::Run(args) = cli.into_command() else {
            panic!("not run")
        };
        assert_eq!(
            args.coordinator_url(),
            "http://provost-coordinator.other:50051"
        );
        let cli = Cli::parse_from(["provost-operator", "run", "--store-endpoint", "http://x:1"]);
        let Command::Run(args) = cli.into_command() else {
            panic!("not run")
        };
        assert_eq!(args.store_endpoint(), "http://x:1");
    }

    #[test]
    fn settings_of_tasks_name_their_type() {
        let parse = |flags: &[&str]| {
            let flags = ["provost-operator"].iter().chain(flags);
            match Cli::try_parse_from(flags)?.into_command() {
                Command::Run(args) => Ok(args),
                Command::Store(_) => panic!("not run"),
            }
        };
        let usual = parse(&[]).unwrap();
        let default = provost_coordinator::Config::default().progress_limit;
        assert_eq!(
            (usual.task_timeouts, usual.standstill_timeout),
            (vec![], default)
        );
        let flags = "--task-timeout ProveShard=1h,SetupVkey=1m --task-timeout Controller=2h --task-weight CoreExecute=6,ProveShard=5";
        let flags: Vec<_> = flags.split(' ').collect();
        let said = parse(&flags).unwrap();
        assert_eq!((said.task_timeouts.len(), said.task_weights.len()), (3, 2));
        for flag in ["--task-timeout", "--task-weight"] {
            let error: clap::Error = parse(&[flag, "ProveShard=soon"]).unwrap_err();
            assert!(error.to_string().contains(flag), "{error}");
        }
    }

    #[test]
    fn store_takes_keys() {
        let flags = [
            "provost-operator",
            "store",
            "--data",
            "/d",
            "--access-key",
            "a",
            "--secret-key",
            "b",
        ];
        let Command::Store(args) = Cli::parse_from(flags).into_command() else {
            panic!("not store")
        };
        assert_eq!(args.listen.port(), 9000);
    }
}
