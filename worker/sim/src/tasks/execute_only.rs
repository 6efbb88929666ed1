//! ExecuteOnly: executes without proving. A non-zero exit code is a result here, not a failure.

use provost_artifacts::Kind;
use provost_scheduler::retry::FailureClass;

use super::context::Context;
use super::finished::{Execution, Finished};
use crate::failure::TaskError;
use crate::faults::Point;
use crate::graph::ExecuteInputs;
use crate::profile::Plan;

pub(super) async fn run(context: &Context) -> Result<(), TaskError> {
    let inputs = ExecuteInputs::read(&context.data.inputs)
        .map_err(|error| TaskError::own(FailureClass::Transient, error.to_string()))?;
    context
        .artifacts
        .get(Kind::Program, &inputs.program)
        .await?;
    let plan = context.plan(&inputs.stdin, false).await?;
    let time = plan.work(context.kind, 0).duration();
    tokio::time::sleep(time / 2).await;
    context.reach(Point::Running).await?;
    tokio::time::sleep(time / 2).await;
    check(&plan, inputs.cycle_limit)?;
    let execution = Execution::of(&plan, &inputs.program);
    let finished = Finished::execution(execution, plan.graph().exit_code);
    finished.report(context).await
}

/// Fails as the program was told to, or because it ran for too long.
pub(super) fn check(plan: &Plan, limit: Option<u64>) -> Result<(), TaskError> {
    if let Some(verdict) = plan.verdict() {
        return Err(TaskError::own(verdict.class, &verdict.message));
    }
    match limit {
        Some(limit) if plan.graph().cycles > limit => Err(TaskError::program(format!(
            "cycle limit exceeded: {} > {limit}",
            plan.graph().cycles
        ))),
        _ => Ok(()),
    }
}
