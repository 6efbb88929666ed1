//! What the worker tells of itself over HTTP: `/healthz`, `/readyz`, `/status`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use provost_device::Device;
use provost_link::Link;
use serde::Serialize;

use crate::engine::{self, Steps};
use crate::memory::MemoryPlan;

/// A role's progress towards readiness.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum RoleState {
    /// The engine is being built.
    Building,
    /// Built; the coordinator is not reached yet.
    Connecting,
    /// Takes tasks.
    Ready,
    /// Takes no more tasks: the process is about to end.
    Draining,
}

/// How long a worker took to its readiness, in seconds. Roles are built side by side.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// The program, until its `main`: SP1's kernels have CUDA's driver started in that.
    pub load_seconds: f64,
    /// The look at its device: most of it is the making of CUDA's context.
    pub device_seconds: f64,
    /// The known answer; 0 where it is not asked for.
    pub known_answer_seconds: f64,
    /// The provers: on a GPU their buffers there and here.
    pub provers_seconds: f64,
    /// SP1's engine around them.
    pub engine_seconds: f64,
    /// From the start until the role that executes was built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execute_built_seconds: Option<f64>,
    /// From the start until the role that proves was built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prove_built_seconds: Option<f64>,
}

/// What `/status` answers.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The execute role; absent in a worker that only proves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execute: Option<RoleState>,
    /// The prove role; absent in a worker that only executes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prove: Option<RoleState>,
    /// The replica of the coordinator that leads, by its own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// The highest epoch seen.
    pub epoch: u64,
    /// Tasks that run now.
    pub tasks: usize,
    /// Results that the coordinator may still ask for.
    pub unsettled_results: usize,
    /// How the memory is shared.
    pub memory: MemoryPlan,
    /// The GPU that it proves on, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// Memory of that GPU which is free now, in bytes: SP1 keeps what it has taken once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_free_bytes: Option<u64>,
    /// How long it took to its readiness.
    pub start: Start,
}

struct Role {
    name: &'static str,
    built: bool,
}

/// Shared by the roles and the HTTP server.
pub struct Status {
    began: Instant,
    roles: Mutex<Vec<Role>>,
    start: Mutex<Start>,
    memory: MemoryPlan,
    device: Option<Device>,
    link: Link,
}

/// The role that executes.
pub const EXECUTE: &str = "execute";
/// The role that proves.
pub const PROVE: &str = "prove";

impl Status {
    /// A worker that began then, and has looked for its device. It will play `roles`, none of which is built.
    pub fn new(
        (began, start): (Instant, Start),
        roles: &[&'static str],
        memory: MemoryPlan,
        device: Option<Device>,
        link: Link,
    ) -> Arc<Self> {
        let roles = roles.iter().map(|&name| Role { name, built: false });
        Arc::new(Self {
            began,
            roles: Mutex::new(roles.collect()),
            start: Mutex::new(start),
            memory,
            device,
            link,
        })
    }

    /// The GPU that it proves on.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    /// A role's engine is built; by these steps, if it is the one that proves.
    pub fn built(&self, name: &str, steps: Option<&Steps>) {
        let mut roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(role) = roles.iter_mut().find(|role| role.name == name) {
            role.built = true;
        }
        let seconds = Some(self.began.elapsed().as_secs_f64());
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(steps) = steps else {
            start.execute_built_seconds = seconds;
            return;
        };
        start.prove_built_seconds = seconds;
        start.known_answer_seconds = steps.known_answer;
        start.provers_seconds = steps.provers;
        start.engine_seconds = steps.engine;
    }

    /// The state of all roles now.
    pub fn report(&self) -> Report {
        let link = self.link.status();
        let roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        let state = |name: &str| {
            let role = roles.iter().find(|role| role.name == name)?;
            Some(match (role.built, &link.leader) {
                _ if link.draining => RoleState::Draining,
                (false, _) => RoleState::Building,
                (true, Some(_)) => RoleState::Ready,
                (true, None) => RoleState::Connecting,
            })
        };
        let start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        Report {
            execute: state(EXECUTE),
            prove: state(PROVE),
            leader: link.leader.as_deref().map(str::to_owned),
            epoch: link.epoch,
            tasks: link.kept.running,
            unsettled_results: link.kept.results,
            memory: self.memory.clone(),
            device: self.device.clone(),
            device_free_bytes: None,
            start: start.clone(),
        }
    }

    /// Whether any role takes tasks.
    pub fn is_ready(&self) -> bool {
        let report = self.report();
        [report.execute, report.prove].contains(&Some(RoleState::Ready))
    }
}

/// Serves the routes until the process ends.
pub async fn serve(listener: tokio::net::TcpListener, status: Arc<Status>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/status", get(report))
        .with_state(status);
    axum::serve(listener, router).await
}

async fn report(State(status): State<Arc<Status>>) -> Json<Report> {
    Json(Report {
        device_free_bytes: engine::device_free_bytes().await,
        ..status.report()
    })
}

async fn ready(State(status): State<Arc<Status>>) -> StatusCode {
    if status.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}
