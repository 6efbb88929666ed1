//! What the worker tells of itself over HTTP: `/healthz`, `/readyz`, `/status`.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use provost_device::Device;
use provost_link::Link;
use serde::Serialize;

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
}

struct Role {
    name: &'static str,
    built: bool,
}

/// Shared by the roles and the HTTP server.
pub struct Status {
    roles: Mutex<Vec<Role>>,
    memory: MemoryPlan,
    device: Option<Device>,
    link: Link,
}

/// The role that executes.
pub const EXECUTE: &str = "execute";
/// The role that proves.
pub const PROVE: &str = "prove";

impl Status {
    /// A worker that will play `roles`, none of which is built.
    pub fn new(
        roles: &[&'static str],
        memory: MemoryPlan,
        device: Option<Device>,
        link: Link,
    ) -> Arc<Self> {
        let roles = roles.iter().map(|&name| Role { name, built: false });
        Arc::new(Self {
            roles: Mutex::new(roles.collect()),
            memory,
            device,
            link,
        })
    }

    /// The GPU that it proves on.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    /// A role's engine is built.
    pub fn built(&self, name: &str) {
        let mut roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(role) = roles.iter_mut().find(|role| role.name == name) {
            role.built = true;
        }
    }

    /// The state of all roles now.
    pub fn report(&self) -> Report {
        let link = self.link.status();
        let roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        let state = |name: &str| {
            let role = roles.iter().find(|role| role.name == name)?;
            Some(match (role.built, &link.leader) {
                (false, _) => RoleState::Building,
                (true, Some(_)) => RoleState::Ready,
                (true, None) => RoleState::Connecting,
            })
        };
        Report {
            execute: state(EXECUTE),
            prove: state(PROVE),
            leader: link.leader.as_deref().map(str::to_owned),
            epoch: link.epoch,
            tasks: link.kept.running,
            unsettled_results: link.kept.results,
            memory: self.memory.clone(),
            device: self.device.clone(),
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
        .route(
            "/status",
            get(|State(status): State<Arc<Status>>| async move { Json(status.report()) }),
        )
        .with_state(status);
    axum::serve(listener, router).await
}

async fn ready(State(status): State<Arc<Status>>) -> StatusCode {
    if status.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}
