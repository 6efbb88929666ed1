//! GET of finished proofs.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use kube::api;
use provost_crds::{Mode, ProofRequest};
use tokio::time::timeout;

use super::{Api, HttpError};

/// Verb that a user needs to download.
const VERB: &str = "get";
/// Longest wait for the API server's answer.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn get_proof(
    State(api): State<Api>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let result = proof(&api, &namespace, &name, &headers).await;
    api.metrics
        .http(result.as_ref().map_or_else(HttpError::reason, |_| "ok"));
    result.unwrap_or_else(IntoResponse::into_response)
}

async fn proof(
    api: &Api,
    namespace: &str,
    name: &str,
    headers: &HeaderMap,
) -> Result<Response, HttpError> {
    api.gate.check(headers, VERB, namespace, Some(name)).await?;
    let request = find(api, namespace, name).await?;
    let proof = request
        .status
        .as_ref()
        .and_then(|s| s.proof.as_ref())
        .filter(|_| request.succeeded());
    let Some(proof) = proof else {
        return Err(HttpError::NoProof(why_not(&request)));
    };
    let _permit = api
        .bodies
        .acquire()
        .await
        .map_err(|error| HttpError::Internal(error.to_string()))?;
    let bytes = api.inputs.read_proof(&proof.artifact).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, bytes.len().to_string()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.proof\""),
        ),
    ];
    Ok((headers, Body::from(bytes)).into_response())
}

async fn find(api: &Api, namespace: &str, name: &str) -> Result<ProofRequest, HttpError> {
    let requests: api::Api<ProofRequest> = api::Api::namespaced(api.client.clone(), namespace);
    let found = timeout(TIMEOUT, requests.get_opt(name)).await;
    let found =
        found.map_err(|_| HttpError::Api(format!("no answer in {} s", TIMEOUT.as_secs())))?;
    found
        .map_err(|error| HttpError::Api(error.to_string()))?
        .ok_or_else(|| HttpError::NoProofRequest {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
}

fn why_not(request: &ProofRequest) -> String {
    match request.spec.mode {
        Mode::Execute if request.terminal() => {
            "mode Execute makes no proof: see status.execution".into()
        }
        _ if request.terminal() => format!(
            "there is no proof, the request ended as {}: {}",
            request.state(),
            request.message()
        ),
        _ => format!(
            "the proof is not finished, the request is {}: {}",
            request.state(),
            request.message()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_crds::ProofRequestSpec;

    #[test]
    fn a_missing_proof_is_explained() {
        let request = ProofRequest::new("p", ProofRequestSpec::default());
        assert!(why_not(&request).contains("not finished, the request is Pending"));
    }
}
