//! Running the tasks that the coordinator orders, and reporting how they ended.

mod context;
mod controller;
mod core_execute;
mod execute_only;
mod finished;
mod leaf;
mod reduce;
mod role;

use std::sync::Arc;
use std::time::Instant;

use provost_artifacts::Store;
use provost_link::{Ended, Link, Order, Orders, Outcome, TaskType};
use provost_scheduler::retry::FailureClass;
use tokio_util::sync::CancellationToken;

use crate::body::Body;
use crate::coordinator::{Client, now_ms};
use crate::failure::TaskError;
use crate::faults::Point;
use crate::journal::{Entry, Event, Journal};
use crate::profile::Profile;

use context::Context;
pub(crate) use role::Role;
use role::is_leaf;

/// What a simulated worker runs its tasks with.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) profile: Arc<Profile>,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) journal: Option<Arc<Journal>>,
}

/// Runs every order of a role until the link or the worker ends.
pub(crate) async fn run(link: Link, body: Arc<Body>, role: Role, bench: Bench, mut orders: Orders) {
    while let Some(order) = orders.recv().await {
        let client = Client::new(link.clone(), order.run.clone(), body.clone());
        let work = run_one(client, role, bench.clone(), order);
        tokio::spawn(body.life.clone().run_until_cancelled_owned(work));
    }
}

async fn run_one(client: Client, role: Role, bench: Bench, order: Order) {
    let kind = order.data.task_type();
    let stats = client.body().stats.clone();
    let journal = bench.journal.clone();
    let note = |event, outcome| {
        if let Some(journal) = &journal {
            journal.note(&entry(client.body(), &order, event, outcome));
        }
    };
    stats.count(kind, |tally| tally.started += 1);
    let started = Instant::now();
    note(Event::Start, None);
    let waits = CancellationToken::new();
    let context = Context::new(client.clone(), bench, &order, waits.clone());
    let work = dispatch(&context, role);
    let cancelled = &order.cancelled;
    let outcome = match role {
        Role::Execute => tokio::select! {
            // A root hears that its proof's end is stored, and then at once that the run is over: it has ended by itself.
            biased;
            result = work => settle(result, String::new),
            () = cancelled.cancelled() => Outcome::Stopped,
        },
        // It runs until it ends, so that its weight is not given away; only what it waits for can be cut short.
        Role::Prove => {
            let result = tokio::select! {
                result = work => result,
                never = order.cut_short(&waits) => match never {},
            };
            match cancelled.is_cancelled() {
                true => Outcome::Stopped,
                false => settle(result, || gpu_time(started)),
            }
        }
    };
    stats.count(kind, |tally| match &outcome {
        Outcome::Completed(_) => tally.done += 1,
        Outcome::Failed { .. } => tally.failed += 1,
        Outcome::Stopped => tally.cancelled += 1,
    });
    note(Event::End, Some(name(&outcome).to_owned()));
    tell(&order, &outcome);
    let completed = matches!(outcome, Outcome::Completed(_));
    client.done(order, outcome).await;
    // Nobody needs to wait for that unless something is to happen then.
    if completed && is_leaf(kind) && !client.body().faults.is_empty() {
        client.settled().await;
        // Only what happens to the worker matters any more.
        let _ = context.reach(Point::Reported).await;
    }
}

/// What SP1 says of a task that held the GPU since then.
fn gpu_time(started: Instant) -> String {
    format!(r#"{{"gpu_ms":{}}}"#, started.elapsed().as_millis())
}

fn settle(result: Result<(), TaskError>, metadata: impl FnOnce() -> String) -> Outcome {
    match result {
        Ok(()) => Outcome::Completed(metadata()),
        // Nobody needs it any more, or there is nobody to tell.
        Err(TaskError::Ended(Ended::RunOver { .. } | Ended::Closed)) => Outcome::Stopped,
        Err(error) => error.outcome(),
    }
}

/// How an attempt ended, in a word.
fn name(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Completed(_) => "completed",
        Outcome::Failed { class, .. } => class,
        Outcome::Stopped => "stopped",
    }
}

fn entry(body: &Body, order: &Order, event: Event, outcome: Option<String>) -> Entry {
    Entry {
        event,
        proof: order.run.proof_id().to_owned(),
        run: order.run.number(),
        task: order.task_id.clone(),
        kind: order.data.task_type().as_str_name().to_owned(),
        worker: format!("{}/{}", body.name, order.role),
        attempt: order.attempt,
        ms: now_ms(),
        outcome,
    }
}

fn tell(order: &Order, outcome: &Outcome) {
    let (run, task) = (&order.run, order.task_id.as_str());
    let kind = order.data.task_type().as_str_name();
    match outcome {
        Outcome::Completed(_) => tracing::debug!(%run, task, kind, "task done"),
        Outcome::Failed { class, message, .. } => {
            tracing::warn!(%run, task, kind, class, message, "task failed");
        }
        Outcome::Stopped => tracing::debug!(%run, task, kind, "task stopped"),
    }
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
            class: FailureClass::Bug,
            message: format!("{} is not supported by this worker", kind.as_str_name()),
            retryable: Some(false),
        }),
    }?;
    if is_leaf(context.kind) {
        context.reach(Point::Report).await?;
    }
    Ok(())
}
