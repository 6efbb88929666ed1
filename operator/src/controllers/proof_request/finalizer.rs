//! The finalizer that keeps a deleted request until its artifacts are gone.

use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use provost_crds::{ARTIFACTS_FINALIZER, FIELD_MANAGER, ProofRequest};
use serde_json::{Value, json};

use super::decide::has_finalizer;
use crate::api::{ApiError, within};
use crate::key::ProofKey;

/// Adds the finalizer; returns the newest object.
///
/// # Errors
/// The API server fails, or the object has changed since it was read.
pub(super) async fn add(
    client: &Client,
    request: &ProofRequest,
    key: &ProofKey,
) -> Result<ProofRequest, ApiError> {
    if has_finalizer(request) {
        return Ok(request.clone());
    }
    let mut finalizers = request.metadata.finalizers.clone().unwrap_or_default();
    finalizers.push(ARTIFACTS_FINALIZER.to_owned());
    let (patch, params) = patch(request, key, &finalizers);
    let patched = api(client, key);
    let patched = patched.patch(&key.name, &params, &patch);
    within("add a finalizer", patched).await
}

/// Removes the finalizer, after which the object goes.
///
/// # Errors
/// The API server fails, or the object has changed since it was read.
pub(super) async fn remove(
    client: &Client,
    request: &ProofRequest,
    key: &ProofKey,
) -> Result<(), ApiError> {
    let others = request
        .metadata
        .finalizers
        .iter()
        .flatten()
        .filter(|f| *f != ARTIFACTS_FINALIZER);
    let others: Vec<String> = others.cloned().collect();
    let (patch, params) = patch(request, key, &others);
    // The rest of it is of no interest, and may be unreadable.
    let patched = api(client, key);
    let patched = patched.patch_metadata(&key.name, &params, &patch);
    match within("remove a finalizer", patched).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

fn api(client: &Client, key: &ProofKey) -> Api<ProofRequest> {
    Api::namespaced(client.clone(), &key.namespace)
}

fn patch(
    request: &ProofRequest,
    key: &ProofKey,
    finalizers: &[String],
) -> (Patch<Value>, PatchParams) {
    // The version guards the finalizers of others, which a merge patch replaces along with ours.
    let patch = json!({ "metadata": {
        "uid": key.uid,
        "resourceVersion": request.metadata.resource_version,
        "finalizers": finalizers,
    }});
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PatchParams::default()
    };
    (Patch::Merge(patch), params)
}
