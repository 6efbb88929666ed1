//! Tasks that create no others: they read their inputs, take their time, store their outputs and delete what only they needed.

use provost_artifacts::Kind;
use provost_proto::worker::TaskType;

use super::context::Context;
use crate::failure::TaskError;
use crate::faults::Point;
use crate::profile::Work;

/// What stands where among a leaf's inputs and outputs.
struct Parts {
    /// Artifacts that it reads.
    reads: Vec<(Kind, String)>,
    /// Its result.
    output: String,
    /// A shard's marker, and what it leaves for precompile shards.
    deferred: Option<(String, String)>,
    /// Artifacts that it deletes when its outputs are stored.
    deletes: Vec<String>,
}

/// Runs a leaf. One that failed because an earlier delivery of it has finished counts as done.
pub(super) async fn run(context: &Context) -> Result<(), TaskError> {
    let parts = read_parts(context)?;
    let work = context.work()?;
    match perform(context, &parts, work).await {
        Err(TaskError::Store(_)) if is_complete(context, &parts).await => {
            tracing::info!(
                task = context.task_id,
                "already completed by an earlier delivery"
            );
            Ok(())
        }
        result => result,
    }
}

async fn perform(context: &Context, parts: &Parts, work: Work) -> Result<(), TaskError> {
    let artifacts = &context.artifacts;
    for (kind, id) in &parts.reads {
        artifacts.get(*kind, id).await?;
    }
    tokio::time::sleep(work.duration() / 2).await;
    context.reach(Point::Running).await?;
    if let Some((marker, deferred)) = &parts.deferred {
        // CoreExecute may go on with these before the shard is proven.
        artifacts.put_noise(deferred, work.deferred).await?;
        context.client.complete_marker(marker).await;
    }
    tokio::time::sleep(work.duration() / 2).await;
    artifacts.put_noise(&parts.output, work.out).await?;
    context.reach(Point::Stored).await?;
    // Last: who finds these gone takes the task for complete.
    if !parts.deletes.is_empty() {
        artifacts.delete(&parts.deletes).await?;
    }
    Ok(())
}

/// Whether an earlier delivery left all outputs. CoreExecute deletes a shard's deferred output after it has read it; the shard's record goes last.
async fn is_complete(context: &Context, parts: &Parts) -> bool {
    let exists = async |id: &str| context.artifacts.exists(id).await;
    if !exists(&parts.output).await.unwrap_or(false) {
        return false;
    }
    let Some((_, deferred)) = &parts.deferred else {
        return true;
    };
    if exists(deferred).await.unwrap_or(false) {
        return true;
    }
    match parts.deletes.first() {
        Some(record) => !exists(record).await.unwrap_or(true),
        None => true,
    }
}

fn read_parts(context: &Context) -> Result<Parts, TaskError> {
    let inputs = context.data.inputs.as_slice();
    let outputs = context.data.outputs.as_slice();
    let artifact = |id: &String| (Kind::Artifact, id.clone());
    let parts = match (context.kind, inputs, outputs) {
        (TaskType::SetupVkey, [program], [output]) => Parts {
            reads: vec![(Kind::Program, program.clone())],
            output: output.clone(),
            deferred: None,
            deletes: Vec::new(),
        },
        (TaskType::ProveShard, [program, common, record, marker], [output, deferred @ ..]) => {
            Parts {
                reads: vec![
                    (Kind::Program, program.clone()),
                    artifact(common),
                    artifact(record),
                ],
                output: output.clone(),
                deferred: deferred.first().map(|id| (marker.clone(), id.clone())),
                deletes: vec![record.clone()],
            }
        }
        (TaskType::RecursionDeferred, [common, data], [output]) => Parts {
            reads: vec![artifact(common), artifact(data)],
            output: output.clone(),
            deferred: None,
            deletes: Vec::new(),
        },
        // The first two say whether it is the last and what it is about; then each proof after its range.
        (TaskType::RecursionReduce, [_, _, pairs @ ..], [output]) => {
            let proofs: Vec<String> = pairs.iter().skip(1).step_by(2).cloned().collect();
            Parts {
                reads: proofs.iter().map(artifact).collect(),
                output: output.clone(),
                deferred: None,
                deletes: proofs,
            }
        }
        (TaskType::ShrinkWrap | TaskType::Groth16Wrap | TaskType::PlonkWrap, [proof], [output]) => {
            Parts {
                reads: vec![artifact(proof)],
                output: output.clone(),
                deferred: None,
                deletes: Vec::new(),
            }
        }
        _ => {
            let message = format!(
                "{} with {} inputs and {} outputs",
                context.kind.as_str_name(),
                inputs.len(),
                outputs.len()
            );
            return Err(TaskError::own(
                provost_scheduler::retry::FailureClass::Bug,
                message,
            ));
        }
    };
    Ok(parts)
}
