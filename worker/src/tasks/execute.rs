//! The tasks of the execute role.

use provost_proto::worker::{self as proto, TaskType};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sp1_core_executor::ExecutionError;
use sp1_core_machine::io::SP1Stdin;
use sp1_prover::SP1_CIRCUIT_VERSION;
use sp1_prover::worker::{
    CoreExecuteTaskRequest, TaskError, TaskId, TaskMetadata, WorkerClient as _,
};
use sp1_prover_types::{ArtifactClient as _, ArtifactType, ProofRequestStatus};

use super::{raw, unsupported};
use crate::coordinator::Client;
use crate::engine::{ExecuteEngine, Parts};
use crate::failure::{Failure, FailureClass};

/// What CompleteProof tells of a finished proof or execution.
#[derive(Debug, Default, Serialize)]
struct Finished {
    cycles: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    gas: Option<u64>,
    exit_code: u64,
    public_values_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vk_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof_size: Option<u64>,
    sp1_version: &'static str,
}

/// Runs one task of the execute role. `parts` are what works on it, where that may outlast the future.
pub(super) async fn dispatch(
    engine: &ExecuteEngine,
    client: &Client,
    task_id: String,
    kind: TaskType,
    data: proto::TaskData,
    parts: &Parts,
) -> Result<TaskMetadata, Failure> {
    match kind {
        TaskType::Controller => controller(engine, client, task_id, data).await,
        TaskType::CoreExecute => core_execute(engine, &client.held_by(parts), task_id, data).await,
        TaskType::ExecuteOnly => execute_only(engine, client, task_id, data, parts).await,
        _ => Err(unsupported(kind)),
    }
}

/// Drives a whole proof: SP1's controller makes the other tasks and puts their results together.
async fn controller(
    engine: &ExecuteEngine,
    client: &Client,
    task_id: String,
    data: proto::TaskData,
) -> Result<TaskMetadata, Failure> {
    let kind = TaskType::Controller.as_str_name();
    let request = raw::request(&task_id, data);
    let proof_id = request.context.proof_id.clone();
    let scope = engine.scope(&proof_id.to_string(), true);
    let output = engine
        .controller(scope.clone(), client.clone(), None)
        .run(request)
        .await
        .map_err(|error| Failure::from_task_error(kind, &error))?;
    let finished = Finished {
        cycles: output.cycles,
        public_values_hash: hex::encode(Sha256::digest(&output.public_value_stream)),
        vk_hash: scope.vk_hash(),
        proof_size: scope.proof_size(),
        sp1_version: SP1_CIRCUIT_VERSION,
        ..Finished::default()
    };
    complete(client, kind, proof_id, task_id, &finished).await
}

/// Executes the program and hands out its shards as tasks.
async fn core_execute(
    engine: &ExecuteEngine,
    client: &Client,
    task_id: String,
    data: proto::TaskData,
) -> Result<TaskMetadata, Failure> {
    let kind = TaskType::CoreExecute.as_str_name();
    let failed = |error: &TaskError| Failure::from_task_error(kind, error);
    let shards = shard_elements(&data.metadata);
    let request = raw::request(&task_id, data);
    let scope = engine.scope(&request.context.proof_id.to_string(), false);
    let request = CoreExecuteTaskRequest::from_raw(request).map_err(|error| failed(&error))?;
    let result = engine
        .controller(scope.clone(), client.clone(), shards)
        .execute(TaskId::new(task_id), request)
        .await;
    // SP1 would prove on and let the verifier reject the proof in the end.
    if let Some(code) = scope.exit_code().filter(|code| *code != 0) {
        return Err(failed(&TaskError::Execution(
            ExecutionError::UnexpectedExitCode(code),
        )));
    }
    result
        .map(|_| TaskMetadata::default())
        .map_err(|error| failed(&error))
}

/// How many trace elements a shard may have, by a CoreExecute's metadata. `None` where they do not say, or where this worker's own environment does.
pub fn shard_elements(metadata: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Order {
        element_threshold: Option<u64>,
    }
    if std::env::var_os("ELEMENT_THRESHOLD").is_some() {
        return None;
    }
    serde_json::from_str::<Order>(metadata)
        .ok()?
        .element_threshold
}

/// Executes without proving, counting cycles and gas. A non-zero exit code is a result here, not a failure.
async fn execute_only(
    engine: &ExecuteEngine,
    client: &Client,
    task_id: String,
    data: proto::TaskData,
    parts: &Parts,
) -> Result<TaskMetadata, Failure> {
    let kind = TaskType::ExecuteOnly.as_str_name();
    let request = raw::request(&task_id, data);
    let failed = |error: anyhow::Error| {
        let error = match error.downcast::<ExecutionError>() {
            Ok(error) => TaskError::Execution(error),
            Err(error) => TaskError::from(error),
        };
        Failure::from_task_error(kind, &error)
    };
    let (elf, stdin_id, limit) = execute_inputs(&request.inputs).map_err(failed)?;
    let artifacts = engine.artifacts();
    let elf = artifacts.download_program(&elf).await.map_err(failed)?;
    let stdin: SP1Stdin = artifacts
        .download_with_type(&stdin_id, ArtifactType::Stdin)
        .await
        .map_err(failed)?;
    let (_, digest, report) = engine
        .execute(&elf, stdin, limit, parts)
        .await
        .map_err(failed)?;
    let finished = Finished {
        cycles: report.total_instruction_count(),
        gas: report.gas(),
        exit_code: report.exit_code,
        public_values_hash: hex::encode(digest),
        sp1_version: SP1_CIRCUIT_VERSION,
        ..Finished::default()
    };
    complete(client, kind, request.context.proof_id, task_id, &finished).await
}

/// Inputs stand where Controller's do: program, stdin, mode, cycle limit.
pub fn execute_inputs(
    inputs: &[sp1_prover_types::Artifact],
) -> anyhow::Result<(
    sp1_prover_types::Artifact,
    sp1_prover_types::Artifact,
    Option<u64>,
)> {
    let [elf, stdin, _mode, limit, ..] = inputs else {
        anyhow::bail!(
            "EXECUTE_ONLY takes a program, a stdin, a mode and a cycle limit, got {} inputs",
            inputs.len()
        );
    };
    let limit = limit
        .0
        .parse()
        .ok()
        .filter(|limit| (1..u64::MAX).contains(limit));
    Ok((elf.clone(), stdin.clone(), limit))
}

async fn complete(
    client: &Client,
    kind: &str,
    proof_id: sp1_prover::worker::ProofId,
    task_id: String,
    finished: &Finished,
) -> Result<TaskMetadata, Failure> {
    let extra_data = serde_json::to_string(finished).unwrap_or_default();
    client
        .complete_proof(
            proof_id,
            Some(TaskId::new(task_id)),
            ProofRequestStatus::Completed,
            extra_data,
        )
        .await
        .map_err(|error| Failure::new(FailureClass::Transient, kind, format!("{error:#}")))?;
    Ok(TaskMetadata::default())
}
