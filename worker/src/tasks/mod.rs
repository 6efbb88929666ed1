//! Running the tasks that the coordinator orders, and reporting how they ended.

pub mod execute;
mod prove;
mod raw;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt as _;
use provost_proto::worker as proto;
use sp1_prover::worker::TaskMetadata;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::artifacts::origin;
use crate::coordinator::{Order, Session};
use crate::engine::{ExecuteEngine, ProveEngine};
use crate::failure::{Failure, FailureClass};

/// What a role runs its tasks on.
#[derive(Clone)]
pub enum Engine {
    /// Controller, CoreExecute, ExecuteOnly.
    Execute(Arc<ExecuteEngine>),
    /// Set-ups, shards and recursion.
    Prove(Arc<ProveEngine>),
}

/// How a task ended, as far as the coordinator must know.
enum Outcome {
    Done(TaskMetadata),
    Failed(Failure),
    Cancelled,
}

/// Runs every order of a session until the session ends. `poisoned` is set when a task panicked: the process should be
/// replaced then, since SP1's state is in doubt.
pub async fn run(
    session: Arc<Session>,
    engine: Engine,
    mut orders: mpsc::UnboundedReceiver<Order>,
    tracker: TaskTracker,
    poisoned: Arc<AtomicBool>,
) {
    while let Some(order) = orders.recv().await {
        let (session, engine, poisoned) = (session.clone(), engine.clone(), poisoned.clone());
        tracker.spawn(async move { run_one(&session, engine, order, &poisoned).await });
    }
}

async fn run_one(session: &Session, engine: Engine, order: Order, poisoned: &AtomicBool) {
    let Order {
        task,
        mut cancelled,
    } = order;
    let task_id = task.task_id.clone();
    let Some(data) = task.data else {
        session.done(&task_id);
        return;
    };
    let kind = data.task_type();
    let proof_id = data.proof_id.clone();
    let started = std::time::Instant::now();
    tracing::info!(proof_id, task_id, kind = kind.as_str_name(), "task started");

    let work = dispatch(session, engine.clone(), task_id.clone(), data);
    // A panic of SP1 must not take the report with it.
    let work = std::panic::AssertUnwindSafe(work).catch_unwind();
    let outcome = match engine {
        // Dropping an execution ends it: its child process and channels go with it.
        Engine::Execute(_) => tokio::select! {
            result = work => settle(kind, result, poisoned),
            _ = cancelled.wait_for(|cancelled| *cancelled) => Outcome::Cancelled,
        },
        // Proving cannot be stopped half-way. It stays active until it ends, so that its weight is not given away.
        Engine::Prove(_) => match work.await {
            _ if *cancelled.borrow() => Outcome::Cancelled,
            result => settle(kind, result, poisoned),
        },
    };
    report(
        session,
        &proof_id,
        &task_id,
        &mut cancelled,
        outcome,
        kind,
        started.elapsed(),
    )
    .await;
    session.done(&task_id);
}

type Caught = Result<Result<TaskMetadata, Failure>, Box<dyn std::any::Any + Send>>;

fn settle(kind: proto::TaskType, result: Caught, poisoned: &AtomicBool) -> Outcome {
    match result {
        Ok(Ok(metadata)) => Outcome::Done(metadata),
        Ok(Err(failure)) => Outcome::Failed(failure),
        Err(panic) => {
            poisoned.store(true, Ordering::Release);
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".to_owned());
            Outcome::Failed(Failure::new(
                FailureClass::Bug,
                kind.as_str_name(),
                format!("panic: {text}"),
            ))
        }
    }
}

async fn report(
    session: &Session,
    proof_id: &str,
    task_id: &str,
    cancelled: &mut tokio::sync::watch::Receiver<bool>,
    outcome: Outcome,
    kind: proto::TaskType,
    took: std::time::Duration,
) {
    let client = session.client();
    let kind = kind.as_str_name();
    let seconds = took.as_secs_f32();
    let report = async {
        match &outcome {
            Outcome::Done(metadata) => {
                tracing::info!(proof_id, task_id, kind, seconds, "task done");
                let metadata = serde_json::to_string(metadata).unwrap_or_default();
                client.task_completed(proof_id, task_id, metadata).await
            }
            Outcome::Failed(failure) => {
                tracing::warn!(proof_id, task_id, kind, seconds, class = ?failure.class, failure.message, "task failed");
                client
                    .task_failed(proof_id, task_id, failure.retryable, &failure.to_header())
                    .await
            }
            Outcome::Cancelled => {
                tracing::info!(proof_id, task_id, kind, seconds, "task cancelled");
                Ok(())
            }
        }
    };
    tokio::select! {
        result = report => if let Err(status) = result {
            tracing::error!(proof_id, task_id, kind, %status, "the coordinator did not take the result");
        },
        _ = cancelled.wait_for(|cancelled| *cancelled) => {}
    }
}

async fn dispatch(
    session: &Session,
    engine: Engine,
    task_id: String,
    data: proto::TaskData,
) -> Result<TaskMetadata, Failure> {
    let kind = data.task_type();
    match engine {
        Engine::Execute(engine) => {
            execute::dispatch(&engine, session.client(), task_id, kind, data).await
        }
        Engine::Prove(engine) => {
            let span = origin::span(&data.proof_id);
            let work = move |prover| {
                let work = async move { prove::dispatch(&prover, task_id, kind, data).await };
                work.instrument(span).boxed()
            };
            engine.run(work).await
        }
    }
}

/// A task type that this role cannot run.
fn unsupported(kind: proto::TaskType) -> Failure {
    Failure::fatal(
        FailureClass::Bug,
        kind.as_str_name(),
        format!("{} is not supported by this worker", kind.as_str_name()),
    )
}
