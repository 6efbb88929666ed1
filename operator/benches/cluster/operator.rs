//! The operator and its artifact store as processes: the binary that is shipped.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use provost_load::{Process, fleet};

use super::api::{STORE_KEY, Space, kubeconfig};

const BINARY: &str = env!("CARGO_BIN_EXE_provost-operator");
/// Longest wait for a leader.
const PATIENCE: Duration = Duration::from_secs(30);

/// An artifact store on a folder of its own.
pub(crate) struct Store {
    _process: Process,
    folder: PathBuf,
    endpoint: String,
}

impl Store {
    pub(crate) fn start(space: &Space) -> Self {
        let folder = std::env::temp_dir().join(&space.name);
        std::fs::create_dir_all(&folder).unwrap();
        let port = free_port();
        let mut command = command();
        command
            .args(["store", "--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(&folder)
            .env("AWS_ACCESS_KEY_ID", STORE_KEY)
            .env("AWS_SECRET_ACCESS_KEY", STORE_KEY);
        Self {
            _process: Process::start(&mut command).unwrap(),
            folder,
            endpoint: format!("http://127.0.0.1:{port}"),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A replica.
pub(crate) struct Replica {
    pub(crate) process: Process,
    /// Where workers connect.
    pub(crate) address: String,
    /// Where workers of SP1's own cluster connect.
    pub(crate) stock: String,
}

impl Replica {
    /// Starts a replica that serves `space` alone, on a port of its own.
    pub(crate) fn start(space: &Space, store: &Store, name: &str) -> Self {
        Self::start_on(space, store, name, free_port())
    }

    /// The same on a given port.
    pub(crate) fn start_on(space: &Space, store: &Store, name: &str, grpc: u16) -> Self {
        let local = |port: u16| format!("127.0.0.1:{port}");
        let stock = free_port();
        let mut command = command();
        command
            .args([
                "run",
                "--namespace",
                &space.name,
                "--watch-namespace",
                &space.name,
            ])
            .args(["--pod-name", name, "--grpc-listen", &local(grpc)])
            .args(["--stock-grpc-listen", &local(stock)])
            .args(["--http-listen", &local(free_port())])
            .args(["--metrics-listen", &local(free_port())])
            .args(["--store-endpoint", &store.endpoint])
            .env("KUBECONFIG", kubeconfig());
        Self {
            process: Process::start(&mut command).unwrap(),
            address: format!("http://{}", local(grpc)),
            stock: format!("http://{}", local(stock)),
        }
    }

    /// Waits until it leads.
    pub(crate) async fn leads(&mut self) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE && self.process.is_running() {
            let wait = fleet::leads(&self.address);
            if let Ok(Ok(())) = tokio::time::timeout(PATIENCE, wait).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the operator does not lead; its log: RUST_LOG=info");
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
    }
}

/// Logs nothing, unless the environment asks for it.
fn command() -> Command {
    let mut command = Command::new(BINARY);
    match std::env::var_os("RUST_LOG") {
        Some(_) => command.stdout(Stdio::inherit()),
        None => command.env("RUST_LOG", "off").stdout(Stdio::null()),
    };
    command
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
