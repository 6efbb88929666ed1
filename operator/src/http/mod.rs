//! The HTTP API on port 8080: bytes of artifacts in, bytes of proofs out.
//!
//! * `PUT /v1/namespaces/{ns}/artifacts/program`: an ELF; answers 201 `{"id": "program_..."}`.
//! * `PUT /v1/namespaces/{ns}/artifacts/stdin`: a bincode SP1Stdin; answers 201 `{"id": "artifact_..."}`.
//! * `GET /v1/namespaces/{ns}/proofs/{name}`: the finished proof, bincode `ProofFromNetwork`.
//!
//! Only the leader takes uploads: it knows which are about to be named, and removes the others. Proofs are read anywhere.
//!
//! Errors are JSON `{"reason", "message"}`. Every request carries a Kubernetes token; see [`auth`].

mod artifacts;
pub mod auth;
mod error;
pub mod health;
mod proofs;
mod room;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, put};
use kube::Client;

use crate::inputs::Inputs;
use crate::leadership::Leader;
use crate::metrics::Metrics;
pub use auth::Gate;
pub use error::HttpError;
use room::Rooms;

/// Largest stdin, in bytes.
pub const MAX_STDIN_BYTES: usize = 512 << 20;
/// Largest program, in bytes.
pub const MAX_PROGRAM_BYTES: usize = 64 << 20;

/// What the routes need.
#[derive(Clone)]
pub struct Api {
    client: Client,
    gate: Gate,
    inputs: Arc<Inputs>,
    metrics: Metrics,
    leader: Leader,
    rooms: Rooms,
}

/// The routes.
pub fn router(client: Client, inputs: Arc<Inputs>, metrics: Metrics, leader: Leader) -> Router {
    let gate = Gate::new(client.clone());
    let api = Api {
        client,
        gate,
        inputs,
        metrics,
        leader,
        rooms: Rooms::default(),
    };
    Router::new()
        .route(
            "/v1/namespaces/{namespace}/artifacts/program",
            put(artifacts::put_program).layer(DefaultBodyLimit::max(MAX_PROGRAM_BYTES)),
        )
        .route(
            "/v1/namespaces/{namespace}/artifacts/stdin",
            put(artifacts::put_stdin).layer(DefaultBodyLimit::max(MAX_STDIN_BYTES)),
        )
        .route(
            "/v1/namespaces/{namespace}/proofs/{name}",
            get(proofs::get_proof),
        )
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(api)
}
