//! A replica of the operator, as a process.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::address::{GRPC, HTTP, METRICS};
use crate::http;
use crate::process::{Exit, Process, Signal, binary};
use crate::promises::OPERATOR_GRACE;
use crate::proxy::Proxy;
use crate::wait::eventually;

/// What the processes log: RUST_LOG, or what matters.
pub(crate) fn log_level() -> String {
    std::env::var("RUST_LOG").unwrap_or_else(|_| "info,kube_runtime=warn".to_owned())
}

/// A replica and its wires.
pub struct Replica {
    /// Name of its pod.
    pub name: String,
    /// Where it listens.
    pub host: Ipv4Addr,
    /// Its wire to the API server.
    pub api: Proxy,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    log: PathBuf,
    process: Mutex<Option<Process>>,
    /// Whether it is started again when it has ended by itself, as a kubelet does.
    wanted: AtomicBool,
}

/// What a replica is told.
pub struct Plan {
    /// Name of its pod.
    pub name: String,
    /// Where it listens.
    pub host: Ipv4Addr,
    /// Its wire to the API server.
    pub api: Proxy,
    /// Its kubeconfig.
    pub kubeconfig: PathBuf,
    /// Its namespace, the only one that it serves.
    pub namespace: String,
    /// Where workers find the coordinator: all replicas.
    pub coordinator: String,
    /// Where it and the workers find the store.
    pub store: String,
    /// Where it logs.
    pub log: PathBuf,
    /// More of its settings, from the environment.
    pub env: Vec<(String, String)>,
}

impl Replica {
    /// A replica that is not started yet.
    pub fn new(plan: Plan) -> Self {
        let at = |port: u16| SocketAddr::from((plan.host, port)).to_string();
        let args = [
            "run",
            "--grpc-listen",
            &at(GRPC),
            "--http-listen",
            &at(HTTP),
            "--metrics-listen",
            &at(METRICS),
        ];
        let mut env: BTreeMap<String, String> = [
            ("KUBECONFIG", plan.kubeconfig.display().to_string()),
            ("POD_NAMESPACE", plan.namespace.clone()),
            ("PROVOST_WATCH_NAMESPACE", plan.namespace),
            ("POD_NAME", plan.name.clone()),
            ("PROVOST_COORDINATOR", plan.coordinator),
            ("PROVOST_STORE_ENDPOINT", plan.store),
            ("RUST_LOG", log_level()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        env.extend(plan.env);
        Self {
            name: plan.name,
            host: plan.host,
            api: plan.api,
            args: args.map(str::to_owned).to_vec(),
            env,
            log: plan.log,
            process: Mutex::default(),
            wanted: AtomicBool::new(false),
        }
    }

    /// Starts it, and keeps it running from now on. One that runs is not started again.
    pub fn start(&self) {
        self.wanted.store(true, Ordering::Release);
        let program = binary("provost-operator", "PROVOST_OPERATOR_BIN");
        let mut process = self.process.lock().unwrap();
        if process
            .as_ref()
            .is_none_or(|process| process.exit().is_some())
        {
            *process = Some(Process::start(&program, &self.args, &self.env, &self.log));
        }
    }

    /// Waits until it is ready: all caches are filled, all servers listen.
    pub async fn ready(&self) {
        let address = (self.host, METRICS).into();
        let look =
            || async { (http::call(address, "GET", "/readyz", "").await.0 == 200).then_some(()) };
        eventually(&format!("{} to be ready", self.name), look).await;
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &*self.process.lock().unwrap() {
            process.signal(signal);
        }
    }

    /// Starts it again if it has ended though it is wanted.
    pub(crate) fn keep(&self) {
        if self.wanted.load(Ordering::Acquire) && !self.runs() {
            self.start();
        }
    }

    /// SIGKILL, and it stays away; returns when it is gone.
    pub fn kill(&self) {
        self.wanted.store(false, Ordering::Release);
        self.crash();
    }

    /// SIGKILL; it is started again in its place.
    pub fn crash(&self) {
        if let Some(process) = &*self.process.lock().unwrap() {
            process.kill();
        }
    }

    /// Whether it runs.
    pub fn runs(&self) -> bool {
        let process = self.process.lock().unwrap();
        process
            .as_ref()
            .is_some_and(|process| process.exit().is_none())
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Exit {
        let process = self.process.lock().unwrap().take();
        match process {
            Some(process) => process.ended(OPERATOR_GRACE).await,
            None => Exit {
                code: 0,
                signalled: false,
            },
        }
    }

    /// SIGTERM, and an orderly end within the pod's grace. It stays away.
    pub async fn stop(&self) {
        self.wanted.store(false, Ordering::Release);
        if !self.runs() {
            return;
        }
        self.signal(Signal::TERM);
        let exit = self.ended().await;
        assert_eq!(
            exit.code,
            0,
            "{} ends badly: see {}",
            self.name,
            self.log.display()
        );
    }

    /// What it has logged, over all its lives.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// A metric's value: the sum over all series whose line begins with `series`.
    pub async fn metric(&self, series: &str) -> f64 {
        let (_, text) = http::call((self.host, METRICS).into(), "GET", "/metrics", "").await;
        let lines = text.lines().filter(|line| line.starts_with(series));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}
