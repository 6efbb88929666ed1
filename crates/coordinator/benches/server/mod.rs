//! The server of a benchmark, in a process of its own.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use provost_coordinator::{Config, Coordinator, Doors, MemoryState, ProofSpec, Root, Weights};
use provost_load::{Process, floor};
use tokio_util::sync::CancellationToken;

/// Tells the process which server to be, with how many proofs.
pub(crate) const VARIABLE: &str = "PROVOST_BENCH_SERVER";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Floor,
    Unary,
    Native,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Floor, Self::Unary, Self::Native];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Floor => provost_load::report::FLOOR,
            Self::Unary => "unary",
            Self::Native => "native",
        }
    }
}

/// A running server.
pub(crate) struct Server {
    process: Process,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(kind: Kind, proofs: usize) -> Self {
        let role = format!("{} {proofs}", kind.name());
        let (process, address) = Process::start_self(VARIABLE, &role).unwrap();
        Self { process, address }
    }

    /// CPU time that the server has used: user and system.
    pub(crate) fn cpu(&self) -> Duration {
        self.process.usage().unwrap().cpu
    }
}

/// If this process is to be a server, is one until it is killed.
pub(crate) fn serve_if_told() -> bool {
    let Ok(role) = std::env::var(VARIABLE) else {
        return false;
    };
    let (kind, proofs) = role.split_once(' ').unwrap();
    runtime().block_on(serve(kind, proofs.parse().unwrap()));
    true
}

/// As many threads as the machine that the bars are set for has cores.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

async fn serve(kind: &str, proofs: usize) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    if kind == Kind::Floor.name() {
        floor::serve(listener, proofs).await.unwrap();
        return;
    }
    let config = Config {
        weights: Weights {
            prove_shard: 1,
            ..Weights::default()
        },
        ..Config::default()
    };
    let state = Arc::new(MemoryState::new());
    let coordinator = Coordinator::start(config, state, CancellationToken::new());
    for number in 0..proofs {
        let proof = ProofSpec {
            inputs: vec![String::new(), String::new(), "2".to_owned()],
            ..ProofSpec::new(format!("proof-{number}"), Root::Prove)
        };
        coordinator.submit_proof(proof).await.unwrap();
    }
    coordinator.serve(listener, Doors::BOTH).await.unwrap();
}
