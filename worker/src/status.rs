//! What the worker tells of itself over HTTP: `/healthz`, `/readyz`, `/status`.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::coordinator::Session;
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
pub struct Report {
    /// The execute role; absent in a worker that only proves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execute: Option<RoleState>,
    /// The prove role; absent in a worker that only executes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prove: Option<RoleState>,
    /// Tasks that run now.
    pub tasks: Vec<String>,
    /// How the memory is shared.
    pub memory: MemoryPlan,
}

struct Role {
    name: &'static str,
    session: Option<Arc<Session>>,
}

/// Shared by the roles and the HTTP server.
pub struct Status {
    roles: Mutex<Vec<Role>>,
    memory: MemoryPlan,
}

/// The role that executes.
pub const EXECUTE: &str = "execute";
/// The role that proves.
pub const PROVE: &str = "prove";

impl Status {
    /// A worker that will play `roles`, none of which is built.
    pub fn new(roles: &[&'static str], memory: MemoryPlan) -> Arc<Self> {
        let roles = roles
            .iter()
            .map(|&name| Role {
                name,
                session: None,
            })
            .collect();
        Arc::new(Self {
            roles: Mutex::new(roles),
            memory,
        })
    }

    /// A role's engine is built and its session begins.
    pub fn built(&self, name: &str, session: Arc<Session>) {
        let mut roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(role) = roles.iter_mut().find(|role| role.name == name) {
            role.session = Some(session);
        }
    }

    /// The state of all roles now.
    pub fn report(&self) -> Report {
        let roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        let state = |name: &str| {
            roles
                .iter()
                .find(|role| role.name == name)
                .map(|role| match &role.session {
                    None => RoleState::Building,
                    Some(session) if session.is_connected() => RoleState::Ready,
                    Some(_) => RoleState::Connecting,
                })
        };
        let tasks = roles
            .iter()
            .filter_map(|role| role.session.as_ref())
            .flat_map(|session| session.active());
        Report {
            execute: state(EXECUTE),
            prove: state(PROVE),
            tasks: tasks.map(|(_, task_id)| task_id).collect(),
            memory: self.memory.clone(),
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
