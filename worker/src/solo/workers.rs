//! The workers, as processes of this program.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::machine::Machine;
use crate::memory::GIB;

/// Longest wait of a worker for its tasks when it wants to be replaced: none is worth more than that here.
const DRAIN_SECONDS: &str = "10";

/// Longest wait for a worker's answer about itself.
const ANSWER: Duration = Duration::from_secs(5);

/// Longest wait for the end of a worker that was killed.
const END: Duration = Duration::from_secs(10);

/// How the workers share the machine.
pub(super) struct Share {
    /// Memory of the one that executes, in GiB.
    pub(super) execute_gib: u64,
    /// Memory of all, in bytes.
    pub(super) memory_bytes: u64,
    /// Provers at once, in place of what follows from the memory.
    pub(super) permits: Option<usize>,
    /// Whether there is one that proves.
    pub(super) proves: bool,
}

struct Worker {
    class: &'static str,
    status: SocketAddr,
    child: Child,
}

/// Processes that are killed at the end: when no proof is under way, they have nothing to lose.
pub(super) struct Workers(Vec<Worker>);

/// Starts them, each with one role. What they log goes where this process logs.
pub(super) fn start(machine: &Machine, share: &Share) -> anyhow::Result<Workers> {
    let execute = share.execute_gib * GIB;
    let mut wanted = vec![("CPU", execute)];
    if share.proves {
        let prove = share.memory_bytes.checked_sub(execute).with_context(|| {
            let (limit, execute) = (share.memory_bytes / GIB, share.execute_gib);
            format!("this machine has {limit} GiB of memory, fewer than --execute-gib {execute}")
        })?;
        wanted.push(("GPU", prove));
    }
    let program = std::env::current_exe()?;
    let process = |class: &'static str, bytes: u64| -> anyhow::Result<_> {
        let status = free_address()?;
        let mut command = Command::new(&program);
        command
            .arg("run")
            .envs(machine.environment())
            .env("POD_NAME", format!("solo-{}", class.to_lowercase()))
            .env("PROVOST_CLASS", class)
            .env("PROVOST_MEMORY_LIMIT_BYTES", bytes.to_string())
            .env("PROVOST_STATUS_ADDRESS", status.to_string())
            .env("PROVOST_DRAIN_SECONDS", DRAIN_SECONDS)
            .stdin(std::process::Stdio::null())
            // Answers are this process's to give: whoever reads them sees its end by that of the stream.
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true);
        if let Some(permits) = share.permits {
            command.env("PROVOST_PROVER_PERMITS", permits.to_string());
        }
        let child = command.spawn()?;
        Ok(Worker {
            class,
            status,
            child,
        })
    };
    let workers = wanted
        .into_iter()
        .map(|(class, bytes)| process(class, bytes));
    Ok(Workers(workers.collect::<anyhow::Result<_>>()?))
}

/// A port that nobody has now.
fn free_address() -> std::io::Result<SocketAddr> {
    std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()
}

impl Workers {
    /// Roles that they play together.
    pub(super) fn roles(&self) -> usize {
        self.0.len()
    }

    /// Returns when one of them ends, which none should.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        let ends = self.0.iter_mut().map(|worker| {
            let class = worker.class;
            Box::pin(async move {
                match worker.child.wait().await {
                    Ok(status) => anyhow::anyhow!("the worker of class {class} ended: {status}"),
                    Err(error) => error.into(),
                }
            })
        });
        futures::future::select_all(ends).await.0
    }

    /// Ends them, and returns when what they had is free again, their GPU most of all; or soon, since what hangs in a driver does not end.
    pub(super) async fn end(mut self) {
        let ends = self.0.iter_mut().map(|worker| worker.child.kill());
        let _ = tokio::time::timeout(END, futures::future::join_all(ends)).await;
    }

    /// Where their `/status` is.
    pub(super) fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let workers = self.0.iter();
        workers
            .map(|worker| (worker.class, worker.status))
            .collect()
    }
}

/// What a worker tells of itself at `/status`; null if it does not answer.
pub(super) async fn status(address: SocketAddr) -> Value {
    let answer = tokio::time::timeout(ANSWER, get_status(address)).await;
    answer.ok().and_then(Result::ok).unwrap_or(Value::Null)
}

async fn get_status(address: SocketAddr) -> anyhow::Result<Value> {
    let mut stream = TcpStream::connect(address).await?;
    // By the protocol's first version an answer ends with its connection.
    stream
        .write_all(b"GET /status HTTP/1.0\r\nHost: worker\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    Ok(serde_json::from_str(body)?)
}
