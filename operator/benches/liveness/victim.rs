//! A worker in a process of its own that keeps whatever it is given, until it is lost.

use std::process::Command;
use std::time::{Duration, Instant};

use provost_link::{Config, Link, Role, WorkerType};
use provost_load::Process;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

/// Tells this program that it is the worker: `<operator> <name> <who waits for it>`.
const VARIABLE: &str = "PROVOST_BENCH_VICTIM";
/// Longest wait for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether this process is such a worker. Then it has been one until somebody ended it.
pub(crate) fn runs_here() -> bool {
    let Ok(told) = std::env::var(VARIABLE) else {
        return false;
    };
    let mut told = told.split(' ');
    let mut next = || told.next().unwrap().to_owned();
    let (operator, name, waits) = (next(), next(), next());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let link = Link::start(Config::new(vec![operator], name)).unwrap();
        let mut orders = link.add_role(Role {
            name: "prove".to_owned(),
            class: WorkerType::Gpu,
            max_weight: 64,
            provers: 0,
            device: None,
            shard_elements: 0,
        });
        let mut kept = Vec::new();
        let wire = TcpStream::connect(waits).await.unwrap();
        while let Some(order) = orders.recv().await {
            kept.push(order);
        }
        drop(wire);
    });
    true
}

/// The worker, as seen from outside.
pub(crate) struct Victim {
    process: Process,
    wire: TcpStream,
}

impl Victim {
    /// Starts it, and waits until it is there.
    pub(crate) async fn start(operator: &str, name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let waits = listener.local_addr().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(VARIABLE, format!("{operator} {name} {waits}"));
        let process = Process::start(&mut command).unwrap();
        let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
        let (wire, _) = accepted.expect("the worker is there").unwrap();
        Self { process, wire }
    }

    /// It ends without a word.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// It says nothing more, and its connections stay.
    pub(crate) fn stop(&self) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-STOP", &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until its connection shows that it is gone, and says when that was.
    pub(crate) async fn gone(&mut self) -> Instant {
        // The end of the stream, or a reset.
        let _ = self.wire.read(&mut [0; 1]).await;
        Instant::now()
    }
}
