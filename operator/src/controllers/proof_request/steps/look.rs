//! Looks after a request that the coordinator has, and stops it when its user says so.

use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use provost_crds::{ProofRequest, reasons};

use super::super::collect as collecting;
use super::super::decide::has_finalizer;
use super::super::error::ProofError;
use super::super::standing::{Standing, standing};
use super::super::status::Change;
use super::super::submit::deadline_ms;
use super::super::{Context, finalizer};
use super::leave::{COLLECT_AGAIN, quiet};
use super::{WATCH, next_look};
use crate::cached;
use crate::key::ProofKey;

/// Wait before a request that the coordinator does not know goes to it again.
const AGAIN: Duration = Duration::from_secs(1);

/// Looks after a request that the coordinator has: why nothing runs, its priority and deadline, its duration.
pub(in super::super) async fn watch(
    request: &ProofRequest,
    key: &ProofKey,
    context: &Context,
) -> Result<Action, ProofError> {
    if !has_finalizer(request) {
        // Somebody took it away. A proof is to be stopped before its request goes.
        finalizer::add(&context.client, request, key).await?;
        return Ok(Action::requeue(AGAIN));
    }
    let proof = key.proof_id();
    context
        .coordinator
        .set_priority(&proof, request.spec.priority)
        .await;
    context
        .coordinator
        .set_deadline(&proof, deadline_ms(request))
        .await;
    let Some(explanation) = context.coordinator.explain(&proof).await else {
        // It let go of the proof, for want of somebody who waits for it: should the request be there still, it starts again.
        context.running.set_submitted(&key.uid, false);
        return Ok(Action::requeue(AGAIN));
    };
    let started = request
        .status
        .as_ref()
        .and_then(|s| s.timings.as_ref()?.started_at.as_ref())
        .is_some();
    let change = match standing(&explanation, &context.pools.state()) {
        Standing::Stuck(message) => Some(Change::Waiting {
            reason: reasons::UNSCHEDULABLE,
            message,
        }),
        Standing::Starting(message) if !started => Some(Change::Waiting {
            reason: reasons::PENDING,
            message,
        }),
        _ if request.state() == reasons::UNSCHEDULABLE => Some(Change::Schedulable),
        // What only moves the duration can as well be left out.
        _ => {
            let due = context.running.tick(&key.uid)
                && context.budget.spare(cached::stored_bytes(request));
            due.then_some(Change::Tick)
        }
    };
    if let Some(change) = change {
        context
            .journal
            .note(key, &[change], Timestamp::now(), Some(request))
            .await?;
    }
    Ok(Action::requeue(next_look(request, WATCH)))
}

/// Ends a request before its time: the status first, so that it shows at once, then the work.
pub(in super::super) async fn end(
    request: &ProofRequest,
    key: &ProofKey,
    context: &Context,
    change: Change,
) -> Result<Action, ProofError> {
    let reason = if matches!(change, Change::Expired) {
        "spec.deadline passed"
    } else {
        "spec.cancel was set"
    };
    context
        .journal
        .note(key, &[change], Timestamp::now(), Some(request))
        .await?;
    context
        .coordinator
        .cancel_proof(&key.proof_id(), reason)
        .await;
    Ok(Action::await_change())
}

/// Keeps a request from running.
pub(in super::super) async fn suspend(
    request: &ProofRequest,
    key: &ProofKey,
    context: &Context,
) -> Result<Action, ProofError> {
    let request = finalizer::add(&context.client, request, key).await?;
    if context.running.submitted(&key.uid) {
        let run = context.coordinator.forget_proof(&key.proof_id()).await;
        context.running.had_run(&key.uid, run);
        context.running.set_submitted(&key.uid, false);
    }
    // The last leader may have ended before it cleared up.
    let known = request.status.as_ref().and_then(|status| status.run);
    let run = context.running.last_run(&key.uid).or(known);
    let suspended = Change::Suspended { run };
    context
        .journal
        .note(key, &[suspended], Timestamp::now(), Some(&request))
        .await?;
    // When it goes on it begins anew.
    if run.is_some() && !context.running.emptied(&key.uid) {
        if !quiet(key, context).await {
            return Ok(Action::requeue(COLLECT_AGAIN));
        }
        collecting::sweep(&context.inputs, key).await?;
        context.running.set_emptied(&key.uid);
    }
    Ok(Action::requeue(next_look(
        &request,
        Duration::from_secs(3600),
    )))
}
