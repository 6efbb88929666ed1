//! Running the tasks that the coordinator orders, and reporting how they ended.

pub mod device;
pub mod execute;
mod prove;
mod raw;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use provost_link::{Order, Orders, Outcome};
use provost_proto::worker::{TaskData, TaskType};
use sp1_prover::worker::TaskMetadata;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::artifacts::origin;
use crate::coordinator::Client;
use crate::engine::{self, ExecuteEngine, Executions, Parts, ProveEngine};
use crate::failure::{Failure, FailureClass};
use crate::health::{Doubt, Health};

/// How long a failure waits for what is left of its execution.
const REMAINS: Duration = Duration::from_secs(4);

/// What a role runs its tasks on.
#[derive(Clone)]
pub enum Engine {
    /// Controller, CoreExecute, ExecuteOnly.
    Execute(Arc<ExecuteEngine>),
    /// Set-ups, shards and recursion.
    Prove(Arc<ProveEngine>),
}

/// Runs every order of a role until the link stops. `health` is told when SP1 broke: the process should be replaced then.
pub async fn run(
    client: Client,
    engine: Engine,
    mut orders: Orders,
    tracker: TaskTracker,
    health: Health,
) {
    while let Some(order) = orders.recv().await {
        let (client, engine, health) = (client.clone(), engine.clone(), health.clone());
        tracker.spawn(async move { run_one(&client, engine, order, &health).await });
    }
}

async fn run_one(client: &Client, engine: Engine, order: Order, health: &Health) {
    let kind = order.data.task_type();
    let (proof_id, task_id) = (order.run.proof_id().to_owned(), order.task_id.clone());
    if order.cancelled.is_cancelled() {
        // It was called off before it began: a prover could not be stopped any more.
        client.link().done(order, Outcome::Stopped);
        return;
    }
    let started = std::time::Instant::now();
    tracing::info!(
        proof_id,
        run = order.run.number(),
        task_id,
        kind = kind.as_str_name(),
        "task started"
    );

    let parts = Parts::default();
    let waits = CancellationToken::new();
    let work = dispatch(client, engine.clone(), &order, &parts, &waits);
    let mut held_ms = None;
    // A panic of SP1 must not take the report with it.
    let work = std::panic::AssertUnwindSafe(work)
        .catch_unwind()
        .inspect(|result| {
            if let Ok(Ok(metadata)) = result {
                held_ms = metadata.gpu_ms;
            }
        });
    let cancelled = order.cancelled.clone();
    let outcome = match engine {
        Engine::Execute(_) => tokio::select! {
            result = work => {
                let outcome = settle(kind, result, health, Doubt::Executor);
                if matches!(outcome, Outcome::Failed { .. }) {
                    // What failed is to be told, whatever is left of it.
                    let _ = tokio::time::timeout(REMAINS, gone(client, &parts)).await;
                }
                outcome
            }
            () = cancelled.cancelled() => {
                gone(client, &parts).await;
                Outcome::Stopped
            }
        },
        // Proving cannot be stopped half-way, only what it waits for. It stays active until it ends, so that its weight is not given away; but on a device that is lost it
        // may never end.
        Engine::Prove(_) => {
            let judged = async {
                let (result, before) = (work.await, health.known());
                let outcome = settle(kind, result, health, Doubt::Prover);
                let patience = device::HUNG;
                device::judge(outcome, before, engine::find_device, patience, health).await
            };
            let outcome = tokio::select! {
                outcome = judged => outcome,
                why = health.device_lost() => device::handed_back(&why, "nothing yet"),
                never = order.cut_short(&waits) => match never {},
            };
            match cancelled.is_cancelled() {
                true => Outcome::Stopped,
                false => outcome,
            }
        }
    };
    let seconds = started.elapsed().as_secs_f32();
    let kind = kind.as_str_name();
    match &outcome {
        Outcome::Completed(_) => {
            // Without the waits and preparations that `seconds` has too: only what a task that proves held a prover for, a GPU's or a CPU's.
            tracing::info!(proof_id, task_id, kind, seconds, held_ms, "task done");
        }
        Outcome::Failed { class, message, .. } => {
            tracing::warn!(
                proof_id,
                task_id,
                kind,
                seconds,
                class,
                message,
                "task failed"
            );
        }
        Outcome::Stopped => tracing::info!(proof_id, task_id, kind, seconds, "task cancelled"),
    }
    client.link().done(order, outcome);
}

/// Returns when nothing works on a dropped execution any more, so that its weight is not given away before. A process that takes nothing new need not wait: what it
/// hands back goes elsewhere.
async fn gone(client: &Client, parts: &Parts) {
    let mut status = client.link().status_changes();
    tokio::select! {
        () = parts.gone() => {}
        _ = status.wait_for(|status| status.draining) => {}
    }
}

/// What the coordinator is told of a task that is done. SP1 calls it a GPU's time when a CPU's prover was held.
fn said(metadata: TaskMetadata) -> String {
    if cfg!(feature = "gpu") {
        serde_json::to_string(&metadata).unwrap_or_default()
    } else {
        String::new()
    }
}

type Caught = Result<Result<TaskMetadata, Failure>, Box<dyn std::any::Any + Send>>;

/// What a task's end is for the coordinator, and for this process: `doubt` is what it counts as if SP1 broke.
fn settle(
    kind: TaskType,
    result: Caught,
    health: &Health,
    doubt: impl Fn(String) -> Doubt,
) -> Outcome {
    let failure = match result {
        Ok(Ok(metadata)) => return Outcome::Completed(said(metadata)),
        Ok(Err(failure)) => failure,
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".to_owned());
            Failure::from_panic(kind.as_str_name(), &format!("panic: {text}"))
        }
    };
    if failure.doubtful {
        health.doubt(doubt(format!("{}: {}", failure.task_type, failure.message)));
    }
    Outcome::Failed {
        class: failure.class.to_string(),
        retryable: failure.retryable,
        message: failure.message,
    }
}

async fn dispatch(
    client: &Client,
    engine: Engine,
    order: &Order,
    parts: &Parts,
    waits: &CancellationToken,
) -> Result<TaskMetadata, Failure> {
    let (task_id, data) = (order.task_id.clone(), order.data.clone());
    let kind = data.task_type();
    match engine {
        Engine::Execute(engine) => {
            let (client, parts) = (client.bound(order.run.clone()), parts.clone());
            let (on, part) = (engine.clone(), Arc::new(()));
            parts.add(&part);
            // A Controller leaves that to others.
            if kind != TaskType::Controller {
                Executions::begin(&parts);
            }
            let work = async move {
                let _part = part;
                execute::dispatch(&on, &client, task_id, kind, data, &parts).await
            };
            engine.run(work).await
        }
        Engine::Prove(engine) => {
            let span = origin::span(&data.proof_id, waits.clone());
            let marker = marker(&data);
            let work = move |prover| {
                let work = async move { prove::dispatch(&prover, task_id, kind, data).await };
                work.instrument(span).boxed()
            };
            let metadata = engine.run(work).await?;
            if let Some(marker) = marker {
                client.link().complete_marker(&order.run, marker);
            }
            Ok(metadata)
        }
    }
}

/// The marker of a shard that leaves a deferred record. SP1 completes it while it proves and takes that for lasting, but if the shard was
/// finished by an earlier delivery, that worker may be gone before its word left it: so it is said again.
fn marker(data: &TaskData) -> Option<String> {
    let leaves_record = data.task_type() == TaskType::ProveShard && data.outputs.len() > 1;
    data.inputs.get(3).filter(|_| leaves_record).cloned()
}

/// A task type that this role cannot run.
fn unsupported(kind: TaskType) -> Failure {
    Failure::fatal(
        FailureClass::Bug,
        kind.as_str_name(),
        format!("{} is not supported by this worker", kind.as_str_name()),
    )
}
