//! The WorkerPool controller: keeps as many worker pods as a pool asks for.
//!
//! [`plan`] decides, from what [`view`] brings together, which pods come and go; [`pods`] builds them; [`status`] tells how the pool
//! stands; [`quarantine`] which nodes are left out, where [`suspects`] does not tell better; [`fleet`] remembers what the caches do not show yet.

pub mod backoff;
pub mod fleet;
pub mod gpus;
pub mod plan;
pub mod pods;
pub mod quarantine;
pub mod status;
pub mod suspects;
pub mod view;

mod apply;
mod env;
mod error;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::controller::{self, Action, Config, Controller};
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt};
use provost_coordinator::{Clock, Coordinator, GpuPools, WorkerView};
use provost_crds::{POOL_LABEL, QuarantinedNode, WorkerPool, WorkerPoolStatus, reasons};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoffs;
use super::{begins_to_lead, run_synced};
use crate::api::Events;
use crate::api::status::{Written, write};
use crate::metrics::{DeviceLabels, Metrics, RoleLabels};
use crate::pods::classify;
use apply::Hindered;
pub use error::PoolError;
use fleet::Fleet;
use plan::{Plan, PodView};
use pods::WorkerSettings;
use status::{Blocked, Observed};

/// Name of this controller in metrics.
const NAME: &str = "worker_pool";
/// Pools reconciled at the same time.
const CONCURRENCY: u16 = 4;
/// Time between two looks at a pool to which nothing happens.
const SLOW: Duration = Duration::from_secs(30);
/// The same while workers are to be replaced when they are idle, which nothing tells.
const ROLLING: Duration = Duration::from_secs(1);
/// Changes of many pods and workers that come together make one look.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// What the controller needs.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// The only namespace whose pools are served.
    pub namespace: String,
    /// Worker pods of that namespace.
    pub pods: Store<Pod>,
    /// Knows which workers are busy.
    pub coordinator: Coordinator,
    /// What the caches do not show.
    pub fleet: Arc<Fleet>,
    /// What workers are told.
    pub settings: WorkerSettings,
    /// For people.
    pub events: Events,
    /// Counts.
    pub metrics: Metrics,
    /// Failures in a row.
    pub backoffs: Backoffs<String>,
    /// How long a roll-out waits until a worker is idle, before one gets no more tasks so that it will be.
    pub patience: Duration,
    /// Whether this replica leads: only then it does anything.
    pub leads: watch::Receiver<bool>,
}

/// Reconciles until `shutdown`; calls `synced` once the cache has seen its first list.
pub async fn run(
    controller: Controller<WorkerPool>,
    context: Arc<Context>,
    synced: impl FnOnce(),
    shutdown: CancellationToken,
) {
    let cache = controller.store();
    let changes = stream::unfold(
        (context.clone(), cache.clone()),
        |(context, pools)| async move {
            context.fleet.wait().await;
            tokio::time::sleep(DEBOUNCE).await;
            forget_deleted(&context, &pools);
            count_workers(&context).await;
            Some(((), (context, pools)))
        },
    );
    let work = reconcile_all(controller.reconcile_all_on(changes), context, shutdown);
    run_synced(cache, synced, work).await;
}

/// Tells pools that `controller` sees, none of which is in the operator's namespace, that they are not served; until `shutdown`.
pub async fn run_elsewhere(
    controller: Controller<WorkerPool>,
    context: Arc<Context>,
    shutdown: CancellationToken,
) {
    // Changes of the fleet are for the pools that have one; only one may wait for them.
    reconcile_all(controller, context, shutdown).await;
}

/// Forgets pools that are gone. Nothing keeps one until its end was seen; that of its pods is.
fn forget_deleted(context: &Context, pools: &Store<WorkerPool>) {
    let here: HashSet<String> = pools.state().iter().map(|pool| pool.name_any()).collect();
    for pool in context.fleet.pools() {
        if !here.contains(&pool) {
            forget(context, &pool);
        }
    }
}

/// Counts the workers that are connected. Apart from the pools' own steps: those of the last pool may outlive it, and go.
async fn count_workers(context: &Context) {
    if *context.leads.borrow() {
        count_roles(context, &context.coordinator.workers().await);
    }
}

fn forget(context: &Context, pool: &str) {
    context.fleet.forget_pool(pool);
    expect_gpus(context, pool, None);
    context.metrics.set_pool_ready(pool, None);
}

/// Tells the coordinator what `pool` has to do with the GPUs that there will be.
fn expect_gpus(context: &Context, pool: &str, gpus: Option<GpuPools>) {
    let coordinator = &context.coordinator;
    context
        .fleet
        .gpus(pool, gpus, |all| coordinator.expect_gpus(all));
}

async fn reconcile_all(
    controller: Controller<WorkerPool>,
    context: Arc<Context>,
    shutdown: CancellationToken,
) {
    controller
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_all_on(begins_to_lead(&context.leads))
        .graceful_shutdown_on(async move { shutdown.cancelled().await })
        .run(reconcile, on_error, context)
        .for_each(|result| async move {
            match result {
                Ok(_) => {}
                Err(controller::Error::QueueError(error)) => {
                    tracing::warn!(%error, "the watch of WorkerPools broke; it is taken up again");
                }
                Err(error) => tracing::debug!(%error, "reconcile of a WorkerPool"),
            }
        })
        .await;
}

async fn reconcile(pool: Arc<WorkerPool>, context: Arc<Context>) -> Result<Action, PoolError> {
    if is_served(&pool, &context) {
        // One that does not lead knows as well: proofs begin as soon as it does.
        expect_gpus(&context, &pool.name_any(), gpus::of(&pool));
    }
    if !*context.leads.borrow() {
        // The leader tells it.
        context.fleet.take_news(&pool.name_any());
        return Ok(Action::await_change());
    }
    let began = Instant::now();
    let result = step(&pool, &context).await;
    context.metrics.reconciled(
        NAME,
        result.as_ref().map_or_else(PoolError::reason, |_| "ok"),
        began.elapsed(),
    );
    if result.is_ok() {
        context.backoffs.clear(&key(&pool));
    }
    result
}

async fn step(pool: &WorkerPool, context: &Context) -> Result<Action, PoolError> {
    if !is_served(pool, context) {
        note(pool, context, |pool, now| {
            status::not_served(pool, &context.namespace, now)
        })
        .await?;
        return Ok(Action::await_change());
    }
    let name = pool.name_any();
    context.fleet.knows(&name);
    if pool.metadata.deletion_timestamp.is_some() {
        // Its pods go with it: they name it as their owner.
        forget(context, &name);
        return Ok(Action::await_change());
    }
    for news in context.fleet.take_news(&name) {
        context
            .events
            .warning(
                pool,
                news.end.reason(),
                "ReplaceWorker",
                &format!("{}: {}", news.pod, news.end.message),
            )
            .await;
    }
    // In this order: who has reported by the end of the recovery is in what comes after it.
    let unheard = context.coordinator.is_recovering();
    let workers = context.coordinator.workers().await;
    count_roles(context, &workers);
    let cached = context.pods.state_filter(|pod| of_pool(pod, pool, &name));
    let cached: Vec<&Pod> = cached.iter().map(AsRef::as_ref).collect();
    context
        .fleet
        .forget_pods(|name| context.pods.find(|pod| pod.name_any() == name).is_some());
    let views = views(pool, context, &cached, &workers);
    let wanted = usize::try_from(pool.spec.replicas).unwrap_or(0);
    let desired = match unheard {
        true => plan::while_unheard(wanted, &views),
        false => wanted,
    };
    let wait = context.fleet.backoff(&name, Clock::of_process().now());
    // Without an image what runs goes on, and nothing can take its place.
    let has_image = pods::known_image(pool, &context.settings).is_some();
    let plan = match has_image {
        true if unheard => plan::plan(desired, &plan::kept(&views), wait),
        true => plan::plan(desired, &views, wait),
        false => plan::without_new(desired, &views),
    };
    let quarantined = quarantine(pool, context, &cached).await;
    let failed = apply::apply(pool, context, &plan, &quarantined).await;
    let blocked = failed.as_ref().map(Blocked::from);
    let mut observed = Observed {
        quarantined,
        ..view::observe(&views, &cached, &workers, blocked)
    };
    if observed.ready >= wanted {
        context.fleet.forget_crash(&name);
    }
    observed.crash = context.fleet.last_crash(&name);
    let rolls = has_image && observed.outdated > 0;
    observed.held = hold(context, &name, desired, rolls, &after(&plan, views));
    context.metrics.set_pool_ready(&name, Some(observed.ready));
    note(pool, context, |pool, now| match has_image {
        true => status::served(pool, &observed, now),
        false => status::no_image(pool, &observed, now),
    })
    .await?;
    // What is refused is so until people change something; all else may be better soon.
    if let Some(Hindered { error, .. }) = failed.filter(|failed| !failed.error.is_refused()) {
        return Err(error.into());
    }
    let longest = match unheard || rolls {
        true => ROLLING,
        false => SLOW,
    };
    Ok(Action::requeue(plan.again.unwrap_or(SLOW).min(longest)))
}

fn is_served(pool: &WorkerPool, context: &Context) -> bool {
    pool.namespace().as_deref() == Some(context.namespace.as_str())
}

/// The pods that are left once the plan is carried out, those that it makes not among them.
fn after(plan: &Plan, mut views: Vec<PodView>) -> Vec<PodView> {
    views.retain(|view| !plan.delete.iter().any(|gone| gone.name == view.name));
    views
}

/// Sees to it that a roll-out ends though all workers are always busy. Says who gets no more tasks for that.
fn hold(
    context: &Context,
    pool: &str,
    desired: usize,
    rolls: bool,
    views: &[PodView],
) -> Option<String> {
    let (before, now) = match rolls {
        true => {
            let waiting = context.fleet.roll_out(pool);
            let now = match waiting.too_long {
                true => {
                    context.fleet.wait_anew(pool);
                    None
                }
                false => {
                    let before = waiting.held.as_deref();
                    plan::held(desired, views, before, (waiting.lasted, context.patience))
                }
            };
            if now != waiting.held {
                tracing::info!(pool, ?now, before = ?waiting.held, "which worker gets no more tasks, to be replaced");
                context.fleet.hold(pool, now.clone());
            }
            (waiting.held, now)
        }
        false => (context.fleet.end_roll_out(pool), None),
    };
    if let Some(before) = before.filter(|before| now.as_ref() != Some(before)) {
        // One that is going, or whose node is not ready, stays without.
        let capacity = |pod: &Pod| pod.name_any() == before && classify::is_capacity(pod);
        if !context.fleet.is_deleted(&before) && context.pods.find(capacity).is_some() {
            context.coordinator.cordon_pod(&before, false);
        }
    }
    if let Some(now) = &now {
        // Each time: its node may have been ready again, which ends it.
        context.coordinator.cordon_pod(now, true);
    }
    now
}

/// The nodes that new workers of the pool stay away from. A worker for CPUs says little of its machine when it crashes: that is for GPUs.
async fn quarantine(pool: &WorkerPool, context: &Context, pods: &[&Pod]) -> Vec<QuarantinedNode> {
    let name = pool.name_any();
    if !pool.spec.asks_for_gpu() {
        context.metrics.set_pool_quarantined(&name, 0);
        return Vec::new();
    }
    let ready = pods.iter().filter(|pod| classify::ready(pod));
    let ready: BTreeSet<String> = ready.filter_map(|pod| node(pod)).collect();
    let decided = pool.status.as_ref().map(|s| s.quarantined_nodes.as_slice());
    let (new, nodes) = context
        .fleet
        .with_quarantine(&name, |quarantine, suspects| {
            quarantine.recall(decided.unwrap_or_default());
            let new = quarantine.decide(&ready, suspects, Timestamp::now());
            (new, quarantine.nodes())
        });
    for entry in new {
        let text = format!("{}: {}", entry.node, entry.message);
        context
            .events
            .warning(pool, reasons::NODE_QUARANTINED, "QuarantineNode", &text)
            .await;
    }
    context.metrics.set_pool_quarantined(&name, nodes.len());
    nodes
}

fn node(pod: &Pod) -> Option<String> {
    pod.spec.as_ref()?.node_name.clone()
}

fn views(
    pool: &WorkerPool,
    context: &Context,
    cached: &[&Pod],
    workers: &[WorkerView],
) -> Vec<PodView> {
    let work = view::work_of_pods(workers);
    let complete = view::complete(pool.spec.class, workers);
    let retiring = workers.iter().filter(|worker| worker.retiring);
    let retiring: HashSet<&str> = retiring.map(|worker| worker.pod.as_str()).collect();
    let template = pods::template_hash(pool, &context.settings);
    let names: HashSet<String> = cached.iter().map(|pod| pod.name_any()).collect();
    let unseen = context.fleet.unseen(&pool.name_any(), &names);
    let cached = cached.iter().map(|pod| {
        let name = pod.name_any();
        let work = work.get(name.as_str()).copied().unwrap_or_default();
        view::pod_view(
            pod,
            (work, complete.contains(name.as_str())),
            retiring.contains(name.as_str()) || context.fleet.to_recycle(&name),
            context.fleet.is_deleted(&name),
            &template,
        )
    });
    cached
        .chain(unseen.into_iter().map(view::unseen_view))
        .collect()
}

/// Whether the pod belongs to this pool, and not to one of the same name that was deleted.
fn of_pool(pod: &Pod, pool: &WorkerPool, name: &str) -> bool {
    let owners = pod.metadata.owner_references.iter().flatten();
    pod.labels()
        .get(POOL_LABEL)
        .is_some_and(|label| label == name)
        && owners
            .into_iter()
            .any(|owner| Some(&owner.uid) == pool.metadata.uid.as_ref())
}

async fn note(
    pool: &WorkerPool,
    context: &Context,
    next: impl Fn(&WorkerPool, Timestamp) -> WorkerPoolStatus,
) -> Result<(), PoolError> {
    let (namespace, name, uid) = (
        pool.namespace().unwrap_or_default(),
        pool.name_any(),
        pool.uid().unwrap_or_default(),
    );
    let api: Api<WorkerPool> = Api::namespaced(context.client.clone(), &namespace);
    let now = Timestamp::now();
    let written = write(
        &api,
        &name,
        &uid,
        Some(pool.clone()),
        |pool| next(pool, now),
        |pool| pool.status.as_ref(),
    )
    .await;
    let result = match &written {
        Ok(Written::Changed { .. }) => "ok",
        Ok(Written::Same | Written::Gone) => "skipped",
        Err(_) => "error",
    };
    context.metrics.wrote("WorkerPool", result);
    written?;
    Ok(())
}

fn count_roles(context: &Context, workers: &[WorkerView]) {
    let roles = ["execute", "prove"].map(|role| {
        let count = workers
            .iter()
            .filter(|w| w.available && view::roles(w.kind).contains(&role))
            .count();
        (RoleLabels { role }, count)
    });
    context.metrics.set_workers(roles);
    let devices = view::devices(workers.iter().filter(|w| w.available));
    let devices = devices.into_iter().map(|(device, (count, free_bytes))| {
        let labels = DeviceLabels {
            device: device.name,
            capability: device.capability,
            driver: device.driver,
            driver_version: device.driver_version,
            memory_gib: device.memory_bytes >> 30,
        };
        (labels, count, free_bytes)
    });
    context.metrics.set_devices(devices);
}

fn on_error(pool: Arc<WorkerPool>, error: &PoolError, context: Arc<Context>) -> Action {
    let wait = context.backoffs.failed(key(&pool), rand::random());
    tracing::warn!(pool = key(&pool), reason = error.reason(), %error, retry_in = ?wait, "a pool could not be reconciled");
    Action::requeue(wait)
}

fn key(pool: &WorkerPool) -> String {
    format!(
        "{}/{}",
        pool.namespace().unwrap_or_default(),
        pool.name_any()
    )
}
