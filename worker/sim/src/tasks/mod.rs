//! Running the tasks that the coordinator orders, and reporting how they ended.

mod context;
mod controller;
mod core_execute;
mod execute_only;
mod finished;
mod leaf;
mod reduce;

use std::sync::Arc;

use provost_artifacts::Store;
use provost_proto::worker::TaskType;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::failure::TaskError;
use crate::faults::Point;
use crate::link::{Order, Session};
use crate::profile::Profile;

use context::Context;

/// What a simulated worker runs its tasks with.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) profile: Arc<Profile>,
    pub(crate) store: Option<Arc<dyn Store>>,
}

/// Which tasks a registration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Controller, CoreExecute, ExecuteOnly and the wraps. A task is dropped when it is cancelled.
    Execute,
    /// Set-ups, shards, recursion. A task cannot be stopped half-way.
    Prove,
}

/// How a task ended, as far as the coordinator must know.
enum Outcome {
    Done,
    Failed(TaskError),
    Cancelled,
}

/// Runs every order of a session until the session or the worker ends.
pub(crate) async fn run(
    session: Arc<Session>,
    role: Role,
    bench: Bench,
    mut orders: mpsc::UnboundedReceiver<Order>,
    tracker: TaskTracker,
) {
    while let Some(order) = orders.recv().await {
        let (session, bench) = (session.clone(), bench.clone());
        let life = session.body().life.clone();
        let work = run_one(session, role, bench, order);
        tracker.spawn(life.run_until_cancelled_owned(work));
    }
}

async fn run_one(session: Arc<Session>, role: Role, bench: Bench, order: Order) {
    let Order {
        task,
        mut cancelled,
    } = order;
    let task_id = task.task_id;
    let Some(data) = task.data else {
        session.done(&task_id);
        return;
    };
    let kind = data.task_type();
    let stats = session.body().stats.clone();
    stats.count(kind, |tally| tally.started += 1);
    let context = Context::new(&session, bench, kind, task_id, data);
    let work = dispatch(&context, role);
    let outcome = match role {
        Role::Execute => tokio::select! {
            result = work => settle(result),
            _ = cancelled.wait_for(|cancelled| *cancelled) => Outcome::Cancelled,
        },
        // It stays active until it ends, so that its weight is not given away.
        Role::Prove => match work.await {
            _ if *cancelled.borrow() => Outcome::Cancelled,
            result => settle(result),
        },
    };
    stats.count(kind, |tally| match &outcome {
        Outcome::Done => tally.done += 1,
        Outcome::Failed(_) => tally.failed += 1,
        Outcome::Cancelled => tally.cancelled += 1,
    });
    tokio::select! {
        () = report(&context, outcome) => {}
        _ = cancelled.wait_for(|cancelled| *cancelled) => {}
    }
    session.done(&context.task_id);
}

fn settle(result: Result<(), TaskError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Failed(error),
    }
}

async fn report(context: &Context, outcome: Outcome) {
    let (proof, task) = (context.proof.as_str(), context.task_id.as_str());
    let kind = context.kind.as_str_name();
    let answer = match outcome {
        Outcome::Done => {
            tracing::debug!(proof, task, kind, "task done");
            let answer = context.link.complete_task(proof, task).await;
            if is_leaf(context.kind) {
                // Only what happens to the worker matters any more.
                let _ = context.reach(Point::Reported).await;
            }
            answer
        }
        Outcome::Failed(error) => {
            let failure = error.of(context.kind);
            tracing::warn!(
                proof,
                task,
                kind,
                reason = error.reason(),
                failure.message,
                "task failed"
            );
            context.link.fail_task(proof, task, &failure).await
        }
        Outcome::Cancelled => {
            tracing::debug!(proof, task, kind, "task cancelled");
            return;
        }
    };
    if let Err(status) = answer {
        tracing::error!(proof, task, kind, %status, "the coordinator did not take the result");
    }
}

/// Whether the task reports itself alone; roots report their proof as well.
fn is_leaf(kind: TaskType) -> bool {
    !matches!(kind, TaskType::Controller | TaskType::ExecuteOnly)
}

async fn dispatch(context: &Context, role: Role) -> Result<(), TaskError> {
    context.reach(Point::Receipt).await?;
    match (role, context.kind) {
        (Role::Execute, TaskType::Controller) => controller::run(context).await,
        (Role::Execute, TaskType::CoreExecute) => core_execute::run(context).await,
        (Role::Execute, TaskType::ExecuteOnly) => execute_only::run(context).await,
        (Role::Execute, TaskType::Groth16Wrap | TaskType::PlonkWrap)
        | (
            Role::Prove,
            TaskType::SetupVkey
            | TaskType::ProveShard
            | TaskType::RecursionDeferred
            | TaskType::RecursionReduce
            | TaskType::ShrinkWrap,
        ) => leaf::run(context).await,
        (_, kind) => Err(TaskError::Own {
            class: crate::failure::FailureClass::Bug,
            message: format!("{} is not supported by this worker", kind.as_str_name()),
            retryable: Some(false),
        }),
    }?;
    if is_leaf(context.kind) {
        context.reach(Point::Report).await?;
    }
    Ok(())
}
