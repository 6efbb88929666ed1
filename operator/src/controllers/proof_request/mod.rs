//! The ProofRequest controller: from a spec to a proof in the store, or to the reason why not.
//!
//! A request goes through named steps, one module each: [`decide`] says which is next; [`kept`], [`resolve`], [`validate`], [`prepare`] and
//! [`submit`] bring it to the coordinator; the coordinator's state (`crate::state`) writes its progress and end; [`collect`] removes what
//! it left. [`status`] and [`journal`] are how all of them write what happened.

pub mod collect;
pub mod decide;
pub mod error;
pub mod journal;
pub mod kept;
pub mod prepare;
pub mod resolve;
pub mod running;
pub mod standing;
pub mod status;
pub mod submit;
pub mod validate;

mod finalizer;
mod steps;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use kube::Client;
use kube::core::DynamicObject;
use kube::runtime::controller::{self, Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use provost_coordinator::Coordinator;
use provost_crds::{ProofRequest, WorkerPool};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoffs;
use super::{begins_to_lead, run_synced};
use crate::elsewhere::Elsewhere;
use crate::inputs::Inputs;
use crate::key::ProofKey;
use crate::metrics::Metrics;
use crate::served::Served;
use crate::state::budget::Budget;
use decide::{Step, decide};
use error::{ProofError, Verdict};
use journal::Journal;
use running::Running;
use status::Change;

/// Name of this controller in metrics.
const NAME: &str = "proof_request";

/// Time between two looks at all requests, whatever the watch says.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Time between two attempts to find out whether a request is gone.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What the steps need.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// All requests that are served.
    pub requests: Served,
    /// The others.
    pub elsewhere: Elsewhere,
    /// All pools.
    pub pools: Store<WorkerPool>,
    /// Writes what happened.
    pub journal: Arc<Journal>,
    /// What may be written that could also be left out.
    pub budget: Arc<Budget>,
    /// The artifact store.
    pub inputs: Arc<Inputs>,
    /// Runs the proofs.
    pub coordinator: Coordinator,
    /// Counts.
    pub metrics: Metrics,
    /// Whether there are workers that wrap proofs.
    pub wraps: bool,
    /// What this process works on.
    pub running: Arc<Running>,
    /// Whether this replica leads: only then it does anything.
    pub leads: watch::Receiver<bool>,
    /// Failures in a row.
    pub backoffs: Backoffs<ProofKey>,
}

/// Reconciles until `shutdown`; calls `synced` once the cache has seen its first list. `lists` tells when a list has become the cache: one of
/// more than a page, which replaces a broken watch, is reconciled before that.
pub async fn run(
    controller: Controller<ProofRequest>,
    lists: watch::Receiver<()>,
    context: Arc<Context>,
    concurrency: u16,
    synced: impl FnOnce(),
    shutdown: CancellationToken,
) {
    let cache = controller.store();
    let found = context.clone();
    let work = controller
        .with_config(Config::default().concurrency(concurrency))
        .reconcile_all_on(begins_to_lead(&context.leads))
        .reconcile_all_on(WatchStream::from_changes(lists))
        .reconcile_all_on(every(LOOK_AGAIN))
        .graceful_shutdown_on(async move { shutdown.cancelled().await })
        .run(reconcile, on_error, context)
        .for_each(|result| {
            let context = found.clone();
            async move {
                match result {
                    Ok(_) => {}
                    Err(controller::Error::ObjectNotFound(request)) => {
                        tokio::spawn(not_found(*request, context));
                    }
                    Err(controller::Error::QueueError(error)) => {
                        tracing::warn!(%error, "the watch of ProofRequests broke; it is taken up again");
                    }
                    Err(error) => tracing::debug!(%error, "reconcile of a ProofRequest"),
                }
            }
        });
    run_synced(cache, synced, work).await;
}

/// A request that the cache does not have: stops its proof if the request is gone.
async fn not_found(request: ObjectRef<DynamicObject>, context: Arc<Context>) {
    let (Some(namespace), Some(uid)) = (&request.namespace, &request.extra.uid) else {
        return;
    };
    let key = ProofKey {
        namespace: namespace.clone(),
        name: request.name.clone(),
        uid: uid.clone(),
    };
    while *context.leads.borrow() && context.running.submitted(&key.uid) {
        match context.journal.read(&key).await {
            Ok(None) => {
                tracing::info!(proof = %key, "the ProofRequest is gone, and was not collected: its proof is stopped");
                // It does not fail.
                let _ = steps::gone(&key, &context).await;
                return;
            }
            Ok(Some(_)) => return,
            Err(error) => {
                tracing::warn!(proof = %key, %error, "whether the ProofRequest is gone cannot be told yet; tried again");
            }
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Ticks.
fn every(period: Duration) -> impl Stream<Item = ()> + Send {
    stream::unfold((), move |()| async move {
        tokio::time::sleep(period).await;
        Some(((), ()))
    })
}

async fn reconcile(
    request: Arc<ProofRequest>,
    context: Arc<Context>,
) -> Result<Action, ProofError> {
    if !*context.leads.borrow() {
        return Ok(Action::await_change());
    }
    let (began, seen) = (Instant::now(), Timestamp::now());
    let key = ProofKey::of(&request);
    let result = step(&request, &key, &context).await;
    let label = result.as_ref().map_or_else(ProofError::reason, |_| "ok");
    context.metrics.reconciled(NAME, label, began.elapsed());
    match result {
        Ok(action) => {
            context.backoffs.clear(&key);
            Ok(action)
        }
        Err(error) => settle(&key, &context, seen, error).await,
    }
}

async fn step(
    request: &ProofRequest,
    key: &ProofKey,
    context: &Context,
) -> Result<Action, ProofError> {
    match decide(
        request,
        context.running.submitted(&key.uid),
        Timestamp::now(),
    ) {
        Step::Collect => steps::collect(request, key, context).await,
        Step::Gone => steps::gone(key, context).await,
        Step::Ended { delete_in } => steps::ended(request, key, context, delete_in).await,
        Step::Cancel => {
            steps::end(
                request,
                key,
                context,
                Change::Cancelled {
                    message: CANCELLED.into(),
                },
            )
            .await
        }
        Step::Expire => steps::end(request, key, context, Change::Expired).await,
        Step::Suspend => steps::suspend(request, key, context).await,
        Step::Start => steps::start(request, key, context).await,
        Step::Watch => steps::watch(request, key, context).await,
    }
}

/// Message of a request whose user set `spec.cancel`.
const CANCELLED: &str = "cancelled: spec.cancel was set";

/// Writes what an error means for the request.
async fn settle(
    key: &ProofKey,
    context: &Context,
    seen: Timestamp,
    error: ProofError,
) -> Result<Action, ProofError> {
    let now = Timestamp::now();
    let change = match error.verdict() {
        Verdict::Fails(failure) => Change::Failed {
            failure: *failure,
            execution: None,
        },
        Verdict::Waits { reason, message } => Change::Waiting { reason, message },
        Verdict::Retries => return Err(error),
    };
    let fails = matches!(change, Change::Failed { .. });
    let changes = [Change::Seen(seen), change];
    context.journal.note(key, &changes, now, None).await?;
    if fails {
        context.backoffs.clear(key);
        return Ok(Action::await_change());
    }
    Err(error)
}

fn on_error(request: Arc<ProofRequest>, error: &ProofError, context: Arc<Context>) -> Action {
    let key = ProofKey::of(&request);
    if matches!(error, ProofError::Api(error) if error.is_conflict()) {
        return Action::requeue(Duration::from_millis(100));
    }
    let wait = context.backoffs.failed(key.clone(), rand::random());
    tracing::warn!(proof = %key, reason = error.reason(), %error, retry_in = ?wait, "a step failed");
    // A deadline that comes before that is not missed; one that passed may be what failed.
    let deadline = steps::next_look(&request, wait);
    Action::requeue(match deadline.is_zero() {
        true => wait,
        false => deadline,
    })
}

/// The key of the cache for `key`.
pub fn object_ref(key: &ProofKey) -> ObjectRef<ProofRequest> {
    ObjectRef::new(&key.name).within(&key.namespace)
}
