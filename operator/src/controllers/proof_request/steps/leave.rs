//! What is left to do for a request that has ended or is being deleted.

use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Api, DeleteParams, Preconditions};
use kube::runtime::controller::Action;
use provost_crds::ProofRequest;

use super::super::decide::until;
use super::super::error::ProofError;
use super::super::{Context, collect as collecting, finalizer};
use crate::api::{ApiError, within};
use crate::elsewhere::Others;
use crate::key::ProofKey;

/// Time between two looks at workers that still hold a task of a proof that is being collected.
pub(super) const COLLECT_AGAIN: Duration = Duration::from_millis(250);
/// The same while workers report to a new leader.
const RECOVERS: Duration = Duration::from_secs(3);
/// Longest wait for such workers: their pods are replaced long before.
const COLLECT_ANYWAY: Duration = Duration::from_secs(60);
/// Age after which the intermediate artifacts of an ended request are known to be gone.
const SWEPT_BEFORE: Duration = Duration::from_secs(3600);

/// Cleans up after a request that has ended, and deletes it when its time has come.
pub(in super::super) async fn ended(
    request: &ProofRequest,
    key: &ProofKey,
    context: &Context,
    delete_in: Option<Duration>,
) -> Result<Action, ProofError> {
    // A leader whose cache was behind may have taken it for one that goes on.
    context
        .coordinator
        .cancel_proof(&key.proof_id(), "its ProofRequest has ended")
        .await;
    if delete_in == Some(Duration::ZERO) {
        delete(key, context).await?;
        return Ok(Action::await_change());
    }
    // It may still be changed when it is deleted, and its tools wait until that was seen.
    context
        .journal
        .note(key, &[], Timestamp::now(), Some(request))
        .await?;
    let again = |wait: Duration| Action::requeue(delete_in.map_or(wait, |left| left.min(wait)));
    let recent = request
        .finished_at()
        .is_some_and(|at| until(at, Timestamp::now()) < SWEPT_BEFORE);
    if recent && !context.running.swept(&key.uid) {
        if context.coordinator.is_recovering() {
            // All that ended in the last hour is looked at by a new leader.
            return Ok(again(RECOVERS));
        }
        if !quiet(key, context).await {
            return Ok(again(COLLECT_AGAIN));
        }
        collecting::tidy(&context.inputs, request, key).await?;
        context.running.set_swept(&key.uid);
    }
    Ok(delete_in.map_or_else(Action::await_change, Action::requeue))
}

/// Whether no worker writes for the request any more, or that was waited for long enough.
pub(super) async fn quiet(key: &ProofKey, context: &Context) -> bool {
    let waited = context.running.collecting(&key.uid);
    if waited >= COLLECT_ANYWAY {
        return true;
    }
    // Before all workers have reported to this leader, who is at what is not known.
    !context.coordinator.is_recovering() && !context.coordinator.is_worked_on(&key.proof_id()).await
}

async fn delete(key: &ProofKey, context: &Context) -> Result<(), ApiError> {
    let api: Api<ProofRequest> = Api::namespaced(context.client.clone(), &key.namespace);
    let this_one = Preconditions {
        uid: Some(key.uid.clone()),
        resource_version: None,
    };
    let params = DeleteParams {
        preconditions: Some(this_one),
        ..DeleteParams::background()
    };
    match within("delete a ProofRequest", api.delete(&key.name, &params)).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

/// Stops a request that is being deleted, waits for its workers, and removes what it left.
pub(in super::super) async fn collect(
    request: &ProofRequest,
    key: &ProofKey,
    context: &Context,
) -> Result<Action, ProofError> {
    context.coordinator.forget_proof(&key.proof_id()).await;
    context.running.set_submitted(&key.uid, false);
    if !quiet(key, context).await {
        return Ok(Action::requeue(COLLECT_AGAIN));
    }
    let others = elsewhere(context).await?;
    let all = || {
        let mut all = context.requests.all().ok()?;
        all.extend(others.as_ref()?.iter().cloned());
        Some(all)
    };
    if let Err(error) = collecting::collect(&context.inputs, request, key, all).await {
        context
            .journal
            .warn(request, error.reason(), &error.to_string())
            .await;
        return Err(error.into());
    }
    finalizer::remove(&context.client, request, key).await?;
    context.running.forget(&key.uid);
    tracing::info!(proof = %key, "proof collected");
    Ok(Action::await_change())
}

/// The requests that are not served; `None` if this operator may not see them, or cannot read them.
async fn elsewhere(context: &Context) -> Result<Option<Others>, ApiError> {
    match context.elsewhere.requests().await {
        Ok(others) => Ok(others),
        Err(error) if error.is_refused() => {
            tracing::warn!(%error, "inputs stay in the store: other namespaces may need them");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Stops and forgets a request that is gone, whoever took its finalizer away.
pub(in super::super) async fn gone(
    key: &ProofKey,
    context: &Context,
) -> Result<Action, ProofError> {
    context.coordinator.forget_proof(&key.proof_id()).await;
    context.running.forget(&key.uid);
    context.inputs.forget(&key.uid).await;
    Ok(Action::await_change())
}
