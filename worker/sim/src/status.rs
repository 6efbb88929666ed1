//! What the process tells of itself over HTTP, and where faults are switched on and off: `/healthz`, `/readyz`, `/status`, `/faults`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::class::Capacity;
use crate::faults::{Fault, FaultView};
use crate::fleet::Fleet;
use crate::stats::Tally;

/// A role's progress towards readiness, over all simulated workers of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
enum RoleState {
    /// Not built yet.
    Building,
    /// Built; the coordinator is not reached yet.
    Connecting,
    /// At least one takes tasks.
    Ready,
}

/// What `/status` answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    execute: Option<RoleState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prove: Option<RoleState>,
    /// Tasks that run now.
    tasks: Vec<String>,
    /// What each worker offers.
    capacity: Capacity,
    /// Registrations that the coordinator knows.
    connected: usize,
    /// Registrations that there are to be.
    registrations: usize,
    /// What has been done, by task type.
    done: BTreeMap<&'static str, Tally>,
}

/// Serves the routes until the process ends.
pub(crate) async fn serve(
    listener: tokio::net::TcpListener,
    fleet: Arc<Fleet>,
) -> std::io::Result<()> {
    let faults = get(list).post(add).delete(clear);
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/status", get(status))
        .route("/faults", faults)
        .with_state(fleet);
    axum::serve(listener, router).await
}

fn report(fleet: &Fleet) -> Report {
    let sessions = fleet.sessions();
    let capacity = fleet.settings().capacity;
    let state = |role: &str, weight: u32| {
        let mut own = sessions.iter();
        let mut own = own
            .by_ref()
            .filter(|s| s.link().worker_id().ends_with(role));
        let state = match own.next() {
            None => RoleState::Building,
            Some(first) if first.is_connected() || own.any(|s| s.is_connected()) => {
                RoleState::Ready
            }
            Some(_) => RoleState::Connecting,
        };
        (weight > 0).then_some(state)
    };
    let (connected, registrations) = fleet.connected();
    let active = sessions.iter().flat_map(|session| session.active());
    Report {
        execute: state("/execute", capacity.execute),
        prove: state("/prove", capacity.prove),
        tasks: active.map(|(_, task)| task).collect(),
        capacity,
        connected,
        registrations,
        done: fleet.stats().all(),
    }
}

async fn status(State(fleet): State<Arc<Fleet>>) -> Json<impl Serialize> {
    Json(report(&fleet))
}

async fn ready(State(fleet): State<Arc<Fleet>>) -> StatusCode {
    let report = report(&fleet);
    match [report.execute, report.prove].contains(&Some(RoleState::Ready)) {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn list(State(fleet): State<Arc<Fleet>>) -> Json<Vec<FaultView>> {
    Json(fleet.faults().list())
}

/// Takes one fault or a list of them, and all or none.
async fn add(State(fleet): State<Arc<Fleet>>, body: String) -> Response {
    let added = Fault::parse(&body)
        .and_then(|faults| faults.into_iter().try_for_each(|fault| fleet.inject(fault)));
    match added {
        Ok(()) => (StatusCode::CREATED, Json(fleet.faults().list())).into_response(),
        Err(error) => {
            let body = serde_json::json!({
                "reason": error.reason(),
                "message": error.to_string(),
            });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
    }
}

/// Removes all faults, and heals partitions and silences. What crashed stays gone.
async fn clear(State(fleet): State<Arc<Fleet>>) -> StatusCode {
    fleet.faults().clear();
    fleet.heal();
    StatusCode::NO_CONTENT
}
