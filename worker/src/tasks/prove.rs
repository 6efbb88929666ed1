//! The tasks of the prove role, each handed to SP1's engine.

use provost_proto::worker::{self as proto, TaskType};
use sp1_prover::worker::{TaskError, TaskId, TaskMetadata};

use super::{raw, unsupported};
use crate::engine::Prover;
use crate::failure::{Failure, PIPELINE_BROKE};

/// Runs one task of the prove role. A task that failed because an earlier delivery of it has finished counts as done.
pub(super) async fn dispatch(
    prover: &Prover,
    task_id: String,
    kind: TaskType,
    data: proto::TaskData,
) -> Result<TaskMetadata, Failure> {
    let request = raw::request(&task_id, data);
    let engine = prover.prover_engine();
    let artifacts = prover.artifact_client();
    let result = match kind {
        TaskType::SetupVkey => {
            let result = setup(prover, task_id, &request).await;
            request.recover_if_complete(result, artifacts).await
        }
        TaskType::ProveShard => {
            let result = match engine.submit_prove_core_shard(request.clone()).await {
                Ok(handle) => flatten(handle.await),
                Err(error) => Err(error),
            };
            request
                .recover_prove_shard_if_complete(result, artifacts)
                .await
        }
        TaskType::RecursionReduce => {
            let result = match engine.submit_recursion_reduce(request.clone()).await {
                Ok(handle) => flatten(handle.await),
                Err(error) => Err(error),
            };
            request.recover_if_complete(result, artifacts).await
        }
        TaskType::RecursionDeferred => {
            let result = match engine.submit_prove_deferred(request.clone()).await {
                Ok(handle) => flatten(handle.await),
                Err(error) => Err(error),
            };
            request.recover_if_complete(result, artifacts).await
        }
        TaskType::ShrinkWrap => {
            let result = engine.run_shrink_wrap(request.clone()).await;
            request.recover_if_complete(result, artifacts).await
        }
        _ => return Err(unsupported(kind)),
    };
    result.map_err(|error| Failure::from_task_error(kind.as_str_name(), &error))
}

async fn setup(
    prover: &Prover,
    task_id: String,
    request: &sp1_prover::worker::RawTaskRequest,
) -> Result<TaskMetadata, TaskError> {
    let ([elf], [output]) = (request.inputs.as_slice(), request.outputs.as_slice()) else {
        return Err(TaskError::Fatal(anyhow::anyhow!(
            "SETUP_VKEY takes one program and one output"
        )));
    };
    let handle = prover
        .prover_engine()
        .submit_setup(TaskId::new(task_id), elf.clone(), output.clone())
        .await?;
    flatten(handle.await).map(|(_, metadata)| metadata)
}

/// What SP1's pipelines lose was no fault of the task: a panic of theirs, most often.
fn flatten<T, E>(result: Result<Result<T, TaskError>, E>) -> Result<T, TaskError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    result.unwrap_or_else(|error| {
        let error = anyhow::Error::new(error).context(PIPELINE_BROKE);
        Err(TaskError::Fatal(error))
    })
}
