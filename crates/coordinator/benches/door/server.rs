//! The server, in a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use provost_coordinator::{Config, Coordinator, MemoryState, ProofSpec, Root, Weights};
use tokio_util::sync::CancellationToken;

/// Tells the process which server to be.
pub(crate) const KIND: &str = "PROVOST_BENCH_SERVER";

/// The proof that all tasks belong to.
pub(crate) const PROOF: &str = "bench";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Floor,
    Unary,
    Native,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Unary => "unary",
            Self::Native => "native",
        }
    }
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(kind: Kind) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(KIND, kind.name())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut address).unwrap();
        let address = format!("http://{}", address.trim());
        Self { child, address }
    }

    /// CPU time that the server has used: user and system.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let rest = stat.rsplit_once(')').unwrap().1;
        let ticks = rest.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|field| field.parse::<u64>().unwrap()).sum();
        // USER_HZ is 100 on every Linux that there is.
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is the server until it is killed.
pub(crate) fn serve(kind: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        std::io::stdout().flush().unwrap();
        if kind == Kind::Floor.name() {
            crate::floor::serve(listener).await;
            return;
        }
        let config = Config {
            weights: Weights {
                prove_shard: 1,
                ..Weights::default()
            },
            parallelism: 1_000_000,
            ..Config::default()
        };
        let state = Arc::new(MemoryState::new());
        let coordinator = Coordinator::start(config, state, CancellationToken::new());
        let proof = ProofSpec {
            proof_id: PROOF.into(),
            kind: Root::Prove,
            inputs: vec![String::new(), String::new(), "2".to_owned()],
            outputs: Vec::new(),
            requester: String::new(),
            priority: 0,
            created_at_ms: 0,
            parallelism: None,
            max_retries: None,
            expires_at_ms: None,
        };
        coordinator.submit_proof(proof).await.unwrap();
        coordinator.serve(listener).await.unwrap();
    });
}
