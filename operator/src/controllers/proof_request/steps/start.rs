//! Takes a request to the coordinator.

use std::pin::pin;
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use provost_crds::{ProofOutput, ProofRequest, reasons};
use provost_proto::SP1_CIRCUIT_VERSION;
use tokio::time::timeout;

use super::super::error::ProofError;
use super::super::prepare::Prepared;
use super::super::status::Change;
use super::super::{Context, finalizer, kept, prepare, resolve, submit, validate};
use super::{WATCH, next_look};
use crate::api::ApiError;
use crate::api::status::Written;
use crate::key::{ProofKey, created_ms};

/// Time after which a request that is being prepared shows a condition.
const SHOW_AFTER: Duration = Duration::from_millis(300);

/// Wait before what was removed meanwhile is stored again.
const AGAIN: Duration = Duration::from_secs(1);

/// Brings a request to the coordinator.
pub(in super::super) async fn start(
    request: &ProofRequest,
    key: &ProofKey,
    context: &Context,
) -> Result<Action, ProofError> {
    let seen = Change::Seen(Timestamp::now());
    let request = finalizer::add(&context.client, request, key).await?;
    let prepared = {
        let mut inputs = pin!(inputs(&request, key, context));
        match timeout(SHOW_AFTER, &mut inputs).await {
            Ok(prepared) => prepared?,
            Err(_) => {
                show_pending(&request, key, context, seen.clone()).await?;
                inputs.await?
            }
        }
    };
    let stored = Change::Prepared {
        program_id: prepared.program_id.clone(),
        stdin_id: prepared.stdin_id.clone(),
    };
    if let Some(info) = submit::finished_before(&context.inputs, &request, key).await? {
        let proof = ProofOutput {
            artifact: key.proof_artifact(created_ms(&request)),
            size_bytes: i64::try_from(info.size).unwrap_or(i64::MAX),
            sha256: info.sha256.unwrap_or_default(),
            vk_hash: None,
            sp1_version: SP1_CIRCUIT_VERSION.to_owned(),
        };
        let done = Change::Succeeded {
            execution: None,
            proof: Some(proof),
        };
        context
            .journal
            .note(key, &[seen, stored, done], Timestamp::now(), None)
            .await?;
        return Ok(Action::await_change());
    }
    // What is queued is written down before any worker sees it.
    let queued = [seen, stored, Change::Queued];
    let written = context
        .journal
        .note(key, &queued, Timestamp::now(), Some(&request))
        .await?;
    if matches!(written, Written::Gone) {
        return Ok(Action::await_change());
    }
    // Before that was written another operator may have removed what it does not know to be needed.
    if context.elsewhere.is_shared() && !prepare::is_there(&context.inputs, key, &prepared).await? {
        return Ok(Action::requeue(AGAIN));
    }
    let last_run = context.running.last_run(&key.uid);
    submit::submit(&context.coordinator, &request, key, &prepared, last_run).await?;
    context.running.set_submitted(&key.uid, true);
    Ok(Action::requeue(next_look(&request, WATCH)))
}

async fn inputs(
    request: &ProofRequest,
    key: &ProofKey,
    context: &Context,
) -> Result<Prepared, ProofError> {
    let spec = kept::spec(&context.inputs, request, key).await?;
    let referenced = resolve::resolve(&context.client, &key.namespace, &spec).await?;
    let valid = validate::validate(&spec, &referenced, context.wraps)?;
    Ok(prepare::prepare(&context.inputs, request, key, valid).await?)
}

async fn show_pending(
    request: &ProofRequest,
    key: &ProofKey,
    context: &Context,
    seen: Change,
) -> Result<(), ApiError> {
    if request.succeeded_condition().is_some() {
        return Ok(());
    }
    let change = Change::Waiting {
        reason: reasons::PENDING,
        message: "storing program and stdin".into(),
    };
    context
        .journal
        .note(key, &[seen, change], Timestamp::now(), Some(request))
        .await
        .map(|_| ())
}
