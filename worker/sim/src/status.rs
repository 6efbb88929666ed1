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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
    /// The replica of the coordinator that leads, by its own name: the one of the highest epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<String>,
    /// The highest epoch seen.
    epoch: u64,
    /// Tasks that run now.
    tasks: usize,
    /// Results that the coordinator may still ask for.
    unsettled_results: usize,
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
    let workers = fleet.workers();
    let looks: Vec<_> = workers.iter().map(|worker| worker.look()).collect();
    let capacity = fleet.settings().capacity;
    // The execute role comes first, where there is one.
    let state = |weight: u32, before: usize| {
        let built = looks.iter().filter(|(roles, _)| *roles > before);
        let state = built
            .map(|(_, status)| match status.leader {
                Some(_) => RoleState::Ready,
                None => RoleState::Connecting,
            })
            .max();
        (weight > 0).then_some(state.unwrap_or(RoleState::Building))
    };
    let (connected, registrations) = fleet.connected();
    let statuses = || looks.iter().map(|(_, status)| status);
    let latest = statuses().max_by_key(|status| (status.epoch, status.leader.is_some()));
    Report {
        execute: state(capacity.execute, 0),
        prove: state(capacity.prove, usize::from(capacity.execute > 0)),
        leader: latest.and_then(|status| status.leader.as_deref().map(str::to_owned)),
        epoch: latest.map_or(0, |status| status.epoch),
        tasks: statuses().map(|status| status.kept.running).sum(),
        unsettled_results: statuses().map(|status| status.kept.results).sum(),
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
