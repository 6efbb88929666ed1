//! Controller: drives one proof, as SP1's does.

use provost_artifacts::Kind;
use provost_proto::worker::TaskType;
use provost_scheduler::retry::FailureClass;

use super::context::Context;
use super::finished::{Execution, Finished};
use super::reduce;
use crate::coordinator::Messages;
use crate::failure::TaskError;
use crate::faults::Point;
use crate::graph::{ControllerInputs, CoreMetadata, Mode};
use crate::profile::Plan;

pub(super) async fn run(context: &Context) -> Result<(), TaskError> {
    let inputs = ControllerInputs::read(&context.data.inputs, &context.data.outputs)
        .map_err(|error| TaskError::own(FailureClass::Transient, error.to_string()))?;
    let plan = context.plan(&inputs.stdin, inputs.stdin_private).await?;
    let artifacts = &context.artifacts;
    set_up(context, &plan, &inputs.program).await?;

    let common = artifacts.mint();
    artifacts
        .put_noise(&common, plan.graph().bytes.proof)
        .await?;
    let execution_id = artifacts.mint();
    let execute = create_execution(context, &plan, &inputs, &common, &execution_id).await;
    let messages = context.client.messages(&execute);
    context.reach(Point::Running).await?;
    let (made, ()) = tokio::try_join!(
        make(context, &plan, inputs.mode, messages),
        context.succeeded(TaskType::CoreExecute, &execute),
    )?;
    let execution = artifacts.get(Kind::Artifact, &execution_id).await?;
    let execution = serde_json::from_slice(&execution)
        .unwrap_or_else(|_| Execution::of(&plan, &inputs.program));

    if let Some(last) = made.last() {
        artifacts.get(Kind::Artifact, last).await?;
    }
    tokio::time::sleep(plan.work(context.kind, 0).duration()).await;
    let size = plan.graph().bytes.finished;
    let proof = vec![0x5a; size as usize];
    artifacts.put(Kind::Proof, &inputs.output, &proof).await?;
    context.reach(Point::Stored).await?;
    let mut left = made;
    left.extend([common, execution_id]);
    artifacts.delete(&left).await?;
    let finished = Finished::proof(execution, &inputs.program, size);
    finished.report(context).await
}

/// Has the program's verifying key computed.
async fn set_up(context: &Context, plan: &Plan, program: &str) -> Result<(), TaskError> {
    let kind = TaskType::SetupVkey;
    let vk = context.artifacts.mint();
    let (inputs, outputs) = (vec![program.to_owned()], vec![vk.clone()]);
    let task = context
        .create(kind, inputs, outputs, plan.work(kind, 0))
        .await;
    context.succeeded(kind, &task).await?;
    context.artifacts.get(Kind::Artifact, &vk).await?;
    Ok(context.artifacts.delete(&[vk]).await?)
}

async fn create_execution(
    context: &Context,
    plan: &Plan,
    inputs: &ControllerInputs,
    common: &str,
    output: &str,
) -> String {
    let metadata = CoreMetadata {
        num_deferred_proofs: plan.graph().deferred_proofs.into(),
        cycle_limit: inputs.cycle_limit,
        stdin_private: inputs.stdin_private,
    };
    let inputs = vec![
        inputs.program.clone(),
        inputs.stdin.clone(),
        common.to_owned(),
        serde_json::to_string(&metadata).unwrap_or_default(),
    ];
    let kind = TaskType::CoreExecute;
    let work = plan.work(kind, 0);
    context
        .create(kind, inputs, vec![output.to_owned()], work)
        .await
}

/// Makes the proof of the asked kind out of the shards' proofs: the artifacts on the way, the finished one last.
async fn make(
    context: &Context,
    plan: &Plan,
    mode: Mode,
    messages: Messages,
) -> Result<Vec<String>, TaskError> {
    let joined = context.artifacts.mint();
    if mode == Mode::Core {
        let size = plan.graph().bytes.finished;
        reduce::collect(context, messages, &joined, size).await?;
        return Ok(vec![joined]);
    }
    reduce::join(context, plan, messages, &joined).await?;
    let wraps: &[TaskType] = match mode {
        Mode::Groth16 => &[TaskType::ShrinkWrap, TaskType::Groth16Wrap],
        Mode::Plonk => &[TaskType::ShrinkWrap, TaskType::PlonkWrap],
        Mode::Core | Mode::Compressed => &[],
    };
    let mut made = vec![joined];
    for kind in wraps {
        let input: Vec<String> = made.last().cloned().into_iter().collect();
        let output = context.artifacts.mint();
        let outputs = vec![output.clone()];
        let task = context
            .create(*kind, input, outputs, plan.work(*kind, 0))
            .await;
        context.succeeded(*kind, &task).await?;
        made.push(output);
    }
    Ok(made)
}
