//! Port 9090: /metrics, /healthz and /readyz.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;

use crate::metrics::Metrics;

/// A part that must be up before the operator is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The API server knows the kinds.
    Crds,
    /// The cache of ProofRequests has seen its first list.
    ProofRequests,
    /// The cache of WorkerPools has seen its first list.
    WorkerPools,
    /// The cache of worker pods has seen its first list.
    Pods,
    /// The gRPC and HTTP servers listen.
    Servers,
}

impl Part {
    const ALL: [Self; 5] = [
        Self::Crds,
        Self::ProofRequests,
        Self::WorkerPools,
        Self::Pods,
        Self::Servers,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Crds => "CRDs",
            Self::ProofRequests => "the cache of proofrequests",
            Self::WorkerPools => "the cache of workerpools",
            Self::Pods => "the cache of pods",
            Self::Servers => "the servers",
        }
    }
}

/// Which parts are up.
#[derive(Debug, Default)]
pub struct Readiness {
    up: watch::Sender<[bool; Part::ALL.len()]>,
}

impl Readiness {
    /// The part is up.
    pub fn up(&self, part: Part) {
        self.up.send_modify(|up| up[part as usize] = true);
        match self.missing().as_slice() {
            [] => tracing::info!("ready"),
            missing => tracing::debug!(?missing, "not ready yet"),
        }
    }

    /// Waits until all caches have seen their first list.
    pub async fn synced(&self) {
        let caches = [Part::ProofRequests, Part::WorkerPools, Part::Pods];
        let mut up = self.up.subscribe();
        // The sender is here.
        let _ = up
            .wait_for(|up| caches.iter().all(|part| up[*part as usize]))
            .await;
    }

    /// What is still missing; empty when ready.
    pub fn missing(&self) -> Vec<&'static str> {
        let up = *self.up.borrow();
        let missing = |part: &Part| !up[*part as usize];
        Part::ALL
            .into_iter()
            .filter(missing)
            .map(Part::name)
            .collect()
    }
}

/// The routes.
pub fn router(readiness: Arc<Readiness>, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state(readiness))
        .route("/metrics", get(render).with_state(metrics))
}

async fn ready(State(readiness): State<Arc<Readiness>>) -> Response {
    let missing = readiness.missing();
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("waiting for {}\n", missing.join(", ")),
    )
        .into_response()
}

async fn render(State(metrics): State<Metrics>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_what_is_missing() {
        let readiness = Readiness::default();
        assert_eq!(readiness.missing().len(), Part::ALL.len());
        for part in [
            Part::Crds,
            Part::ProofRequests,
            Part::WorkerPools,
            Part::Servers,
        ] {
            readiness.up(part);
        }
        assert_eq!(readiness.missing(), ["the cache of pods"]);
        readiness.up(Part::Pods);
        assert!(readiness.missing().is_empty());
    }
}
