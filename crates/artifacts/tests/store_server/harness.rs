//! Servers to test against, and what stands between them and their clients.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use provost_artifacts::server::{Credentials, ServeError, serve};
use provost_artifacts::{S3Config, S3Store};
use provost_test_support::Place;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

pub(crate) const BUCKET: &str = "provost";
const ACCESS_KEY: &str = "test-access";
const SECRET_KEY: &str = "test-secret";

/// A server in this process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    place: Arc<Place>,
    root: PathBuf,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), ServeError>>,
}

impl Server {
    pub(crate) async fn start(root: &Path) -> Self {
        Self::start_at(root, Arc::new(Place::new())).await
    }

    pub(crate) async fn start_at(root: &Path, place: Arc<Place>) -> Self {
        let listener = TcpListener::bind(place.address()).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = serve(
            listener,
            root.to_owned(),
            credentials(),
            BUCKET,
            async move {
                let _ = stopped.await;
            },
        );
        Self {
            address: place.address(),
            place,
            root: root.to_owned(),
            stop,
            running: tokio::spawn(serve),
        }
    }

    pub(crate) async fn stop(self) -> Stopped {
        let _turn = STARTS.lock().await;
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
        Stopped {
            place: self.place,
            root: self.root,
        }
    }

    pub(crate) fn store(&self) -> S3Store {
        S3Store::new(config(self.address))
    }
}

/// Where a server was.
pub(crate) struct Stopped {
    place: Arc<Place>,
    root: PathBuf,
}

impl Stopped {
    pub(crate) async fn start(self) -> Server {
        Server::start_at(&self.root, self.place).await
    }
}

pub(crate) fn credentials() -> Credentials {
    Credentials {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
    }
}

pub(crate) fn config(address: SocketAddr) -> S3Config {
    S3Config {
        endpoint: format!("http://{address}"),
        region: "us-east-1".to_owned(),
        bucket: BUCKET.to_owned(),
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        retry_total: Duration::from_secs(20),
        in_flight_bytes: S3Config::default_in_flight_bytes(),
    }
}

/// A client whose uploads take their time: a few megabytes a second on each connection.
pub(crate) async fn slow_store(server: SocketAddr) -> S3Store {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = S3Store::new(config(listener.local_addr().unwrap()));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                // Where the server is away, the client's connection closes.
                if let Ok(server) = TcpStream::connect(server).await {
                    forward(client, server).await;
                }
            });
        }
    });
    store
}

async fn forward(mut client: TcpStream, mut server: TcpStream) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        let mut piece = vec![0; 32 << 10];
        while let Ok(len @ 1..) = from_client.read(&mut piece).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if to_server.write_all(&piece[..len]).await.is_err() {
                break;
            }
        }
    };
    // Either side's end ends both.
    tokio::select! {
        () = up => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
}

/// Bytes that no compression shortens.
pub(crate) fn noise(len: usize) -> Bytes {
    let mut state = len as u64 | 1;
    let mut bytes = vec![0; len];
    for word in bytes.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
    }
    bytes.into()
}

/// All files under a folder, with their lengths.
pub(crate) fn files(root: &Path) -> Vec<(PathBuf, u64)> {
    let Ok(entries) = std::fs::read_dir(root) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => found.extend(files(&path)),
            Ok(metadata) => found.push((path, metadata.len())),
            Err(_) => {} // Gone meanwhile.
        }
    }
    found
}

/// Waits until some number of unfinished files have bytes.
pub(crate) async fn bytes_arrive(root: &Path, wanted: usize) {
    let unfinished = root.join("unfinished");
    eventually("bytes arrive", || {
        files(&unfinished)
            .iter()
            .filter(|(_, len)| *len > 64 << 10)
            .count()
            >= wanted
    })
    .await;
}

/// Waits until `is_so`, for a minute at most: other builds may keep this machine busy.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Held while a process is started, until it runs its program, and while a server of this process ends, whose address and
/// folder are wanted again: until then the process has copies of what is open here, and what is closed here stays in use.
static STARTS: Mutex<()> = Mutex::const_new(());

/// Runs a program to its end.
pub(crate) async fn run(command: &mut Command) -> std::io::Result<ExitStatus> {
    let _turn = STARTS.lock().await;
    command.status()
}

const CHILD: &str = "PROVOST_TEST_STORE";

/// A server in a process of its own, which is killed when this is dropped.
pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) place: Arc<Place>,
}

impl ServerProcess {
    pub(crate) async fn start(root: &Path) -> Self {
        let _turn = STARTS.lock().await;
        let place = Arc::new(Place::new());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "harness::server_process", "--nocapture"])
            .env(CHILD, format!("{} {}", place.address(), root.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("it listens", || {
            std::net::TcpStream::connect(place.address()).is_ok()
        })
        .await;
        Self { child, place }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: what [`ServerProcess`] runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_process() {
    let Ok(told) = std::env::var(CHILD) else {
        return;
    };
    let (address, root) = told.split_once(' ').unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    serve(
        listener,
        root.to_owned(),
        credentials(),
        BUCKET,
        std::future::pending(),
    )
    .await
    .unwrap();
}
