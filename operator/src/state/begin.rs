//! Writes a run's root task down before any worker sees it: the next leader takes the proof up by it.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, DeleteParams, PostParams};
use provost_coordinator::{Begun, RunStart, StateError};
use provost_crds::{Mode, ProvingTask};

use super::KubeState;
use super::object::TaskRecord;
use crate::api::within;
use crate::inputs::{Inputs, InputsError};
use crate::key::{ProofKey, created_ms};

/// How long the store may take to say whether it has a proof.
const LOOK: Duration = Duration::from_secs(3);
/// Time before it is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// Creates the root task's object, unless the proof is in the store already. Doing it again changes nothing.
pub(super) async fn begin(state: &KubeState, start: RunStart) -> Result<Begun, StateError> {
    let Some(key) = ProofKey::parse(&start.proof) else {
        // A stock client's proof: it has no objects.
        return Ok(Begun::Stored);
    };
    let found = state.parts.journal.find(&key).await.map_err(unavailable)?;
    let Some(request) = found.filter(|request| !request.terminal()) else {
        return Err(StateError::Gone(
            "its ProofRequest was deleted or has ended".into(),
        ));
    };
    // Of the first run there is none: submitting looks for one of an earlier operator.
    if start.run > 0 && request.spec.mode != Mode::Execute {
        let artifact = key.proof_artifact(created_ms(&request));
        let made = async {
            loop {
                match state.parts.inputs.proof_info(&artifact).await {
                    Err(InputsError::Store(error)) if error.is_transient() => {
                        tracing::debug!(proof = %key, %error, "asked again");
                    }
                    told => return told,
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        match tokio::time::timeout(LOOK, made).await {
            Ok(Ok(Some(_))) => return Ok(Begun::Made),
            Ok(Ok(None)) => {}
            // At worst it is made again, and its tasks tell what is wrong with the store.
            unknown => {
                tracing::warn!(proof = %key, ?unknown, "whether the proof is in the store cannot be told")
            }
        }
    }
    // Now that no worker knows of this run, all that is there is of those before it.
    let left = match start.run {
        0 => Vec::new(),
        _ => left_behind(&state.parts.inputs, &key).await,
    };
    if !state.parts.fence.holds() {
        return Err(unavailable("this replica's Lease has run out"));
    }
    let weight = state.parts.weights.of(start.root_type);
    let api: Api<ProvingTask> = Api::namespaced(state.parts.client.clone(), &key.namespace);
    let record = TaskRecord::root(key.clone(), &start, weight);
    let name = record.name();
    let created = within(
        "create a root ProvingTask",
        api.create(
            &PostParams::default(),
            &record.object(state.parts.fence.epoch()),
        ),
    )
    .await;
    let object = match created {
        // An earlier attempt whose answer was lost. The run does not depend on what is read of it.
        Err(error) if error.is_already_exists() => {
            within("read a root ProvingTask", api.get(&name)).await.ok()
        }
        // A quota, a policy, a namespace on its way out: the next attempt looks whether anybody still waits.
        Err(error) if error.is_refused() => return Err(StateError::Refused(error.to_string())),
        other => Some(other.map_err(unavailable)?),
    };
    if let Some(uid) = object.and_then(|object| object.metadata.uid) {
        state.tasks.begun(&start.root, uid);
    }
    tokio::spawn(remove(state.parts.inputs.clone(), key, left));
    Ok(Begun::Stored)
}

/// What the runs before this one have left in the store. It may be as large as what this run makes, and would fill the store together with it.
async fn left_behind(inputs: &Inputs, key: &ProofKey) -> Vec<String> {
    match tokio::time::timeout(LOOK, inputs.handed_over(key.tag())).await {
        Ok(Ok(ids)) => ids,
        unknown => {
            tracing::warn!(proof = %key, ?unknown, "what an earlier run left cannot be told: it stays until the proof has ended");
            Vec::new()
        }
    }
}

async fn remove(inputs: Arc<Inputs>, key: ProofKey, ids: Vec<String>) {
    match inputs.remove_handed_over(&ids).await {
        Ok(()) if ids.is_empty() => {}
        Ok(()) => {
            tracing::info!(proof = %key, removed = ids.len(), "removed what an earlier run left")
        }
        Err(error) => {
            tracing::warn!(proof = %key, %error, "what an earlier run left stays until the proof has ended");
        }
    }
}

/// Deletes the root of a run that does not begin after all, if it is there.
pub(super) async fn abandon(state: &KubeState, start: &RunStart) {
    let Some(key) = ProofKey::parse(&start.proof) else {
        return;
    };
    let api: Api<ProvingTask> = Api::namespaced(state.parts.client.clone(), &key.namespace);
    let name = TaskRecord::root(key, start, 0).name();
    let params = DeleteParams::background();
    let deleted = within("delete a root ProvingTask", api.delete(&name, &params));
    if let Err(error) = deleted.await
        && !error.is_not_found()
    {
        tracing::warn!(proof = %start.proof, %error, "the root of a run that does not begin may be left");
    }
}

fn unavailable(error: impl std::fmt::Display) -> StateError {
    StateError::Unavailable(error.to_string())
}
