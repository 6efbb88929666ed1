//! The binary: how its process ends, and what it serves over HTTP.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use provost_proto::worker::TaskType;
use provost_worker_sim::{Class, journal};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::cluster::{Cluster, LIMIT, config, eventually, graph};

/// Simulated workers in a process of their own, killed when this is dropped.
struct Process {
    child: Child,
    status: SocketAddr,
    log: TempDir,
}

impl Process {
    async fn start(cluster: &Cluster, args: &[&str]) -> Self {
        // A port that was free a moment ago.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let status = listener.local_addr().unwrap();
        drop(listener);
        let store = cluster.store_config();
        let log = tempfile::tempdir().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_worker-sim"))
            .arg("run")
            .args(args)
            // One of the replicas is not there.
            .env("PROVOST_COORDINATOR", format!("{},http://127.0.0.1:9", cluster.address))
            .env("PROVOST_SIM_LOG", log.path().join("log"))
            .env("POD_NAME", "pod")
            .env("PROVOST_CLASS", "All")
            .env("PROVOST_STATUS_ADDRESS", status.to_string())
            .env("PROVOST_STORE_ENDPOINT", &store.endpoint)
            .env("AWS_ACCESS_KEY_ID", &store.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &store.secret_key)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = Self { child, status, log };
        let ready = async {
            while process.call("GET", "/readyz", "").await.0 != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LIMIT, ready).await.unwrap();
        process
    }

    /// The status code and body of an HTTP call; 0 while nobody listens.
    async fn call(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let Ok(mut stream) = TcpStream::connect(self.status).await else {
            return (0, String::new());
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (code.unwrap_or_default(), body.to_owned())
    }

    /// What it has executed.
    fn log(&self) -> Vec<journal::Entry> {
        journal::read(&self.log.path().join("log")).unwrap()
    }

    async fn end(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually("the process ends", || child.try_wait().unwrap()).await
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(killed.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A fault ends the process; its proof is made by another all the same.
async fn ends(fault: &str) -> ExitStatus {
    let cluster = Cluster::with_server(config()).await;
    let mut process = Process::start(&cluster, &["--fault", fault]).await;
    cluster.prove("p").await;
    // One that drains waits for the Controller that it runs, and that for shards which it takes no more.
    let _others = cluster.workers(Class::All, 1, &graph(4)).await;
    let status = process.end().await;
    cluster.success("p").await;
    status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_memory_is_exit_code_137() {
    let status = ends(r#"{"do":"oom","at":"running","task":"PROVE_SHARD"}"#).await;
    assert_eq!(status.code(), Some(137));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_is_a_signal() {
    let status = ends(r#"{"do":"abort","at":"stored","task":"PROVE_SHARD"}"#).await;
    assert_eq!(status.signal(), Some(6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_panic_the_process_drains_and_asks_to_be_replaced() {
    let status = ends(r#"{"do":"panic","at":"running","task":"PROVE_SHARD"}"#).await;
    assert_eq!(status.code(), Some(75));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_drains() {
    let cluster = Cluster::with_server(config()).await;
    let profile = r#"{"graph":{"durations":{"EXECUTE_ONLY":{"ms":1000}}}}"#;
    let mut process = Process::start(&cluster, &["--profile", profile]).await;
    cluster.submit("run", None, "", "0").await;
    eventually("it runs", || (!process.log().is_empty()).then_some(())).await;
    process.terminate();
    assert_eq!(process.end().await.code(), Some(0));
    cluster.success("run").await;
    let log = process.log();
    let outcomes: Vec<_> = log.iter().map(|e| e.outcome.as_deref()).collect();
    assert_eq!(outcomes, [None, Some("completed")]);
    assert_eq!(
        (log[0].proof.as_str(), log[0].run, log[0].attempt),
        ("run", 0, 1)
    );
    assert_eq!(
        (log[0].kind.as_str(), log[0].worker.as_str()),
        ("EXECUTE_ONLY", "pod/execute")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_come_and_go_over_http() {
    let cluster = Cluster::with_server(config()).await;
    let process = Process::start(&cluster, &["--workers", "3"]).await;
    assert_eq!(process.call("GET", "/healthz", "").await.0, 200);
    let fault = r#"{"do":"fail","at":"running","task":"PROVE_SHARD","nth":2}"#;
    assert_eq!(process.call("POST", "/faults", fault).await.0, 201);
    let (code, why) = process.call("POST", "/faults", r#"{"do":"fail"}"#).await;
    assert_eq!(code, 400);
    assert!(why.contains("InvalidFault"), "{why}");
    cluster.prove("p").await;
    cluster.success("p").await;

    let (_, faults) = process.call("GET", "/faults", "").await;
    let faults: serde_json::Value = serde_json::from_str(&faults).unwrap();
    assert_eq!(faults[0]["struck"], 1);
    assert_eq!(faults[0]["fault"]["do"], "fail");
    let (_, status) = process.call("GET", "/status", "").await;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["execute"]["state"], "ready");
    assert_eq!(status["prove"]["state"], "ready");
    assert_eq!(status["registrations"], 6);
    assert_eq!(status["epoch"], 1);
    assert_eq!(status["leader"], "");
    let shards = &status["done"][TaskType::ProveShard.as_str_name()];
    assert_eq!(
        (&shards["failed"], &shards["started"]),
        (&1.into(), &6.into())
    );

    let now = r#"{"do":"partition","at":"now"}"#;
    assert_eq!(process.call("POST", "/faults", now).await.0, 201);
    cluster.prove("cut").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(cluster.state.outcome("cut").is_none());
    assert_eq!(process.call("DELETE", "/faults", "").await.0, 204);
    cluster.success("cut").await;
}
