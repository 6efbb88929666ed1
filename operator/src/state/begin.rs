//! Writes a run's root task down before any worker sees it: the next leader takes the proof up by it.

use kube::api::{Api, DeleteParams, PostParams};
use provost_coordinator::{RunStart, StateError};
use provost_crds::{Mode, ProvingTask};
use provost_proto::worker::TaskType;

use super::KubeState;
use super::object::TaskRecord;
use crate::api::within;
use crate::key::ProofKey;

/// Creates the root task's object. Doing it again changes nothing.
pub(super) async fn begin(state: &KubeState, start: RunStart) -> Result<(), StateError> {
    let Some(key) = ProofKey::parse(&start.proof) else {
        // A stock client's proof: it has no objects.
        return Ok(());
    };
    let found = state.parts.journal.find(&key).await.map_err(unavailable)?;
    let Some(request) = found.filter(|request| !request.terminal()) else {
        return Err(StateError::Gone(
            "its ProofRequest was deleted or has ended".into(),
        ));
    };
    let task_type = match request.spec.mode {
        Mode::Execute => TaskType::ExecuteOnly,
        Mode::Core | Mode::Compressed | Mode::Groth16 | Mode::Plonk => TaskType::Controller,
    };
    if !state.parts.fence.holds() {
        return Err(unavailable("this replica's Lease has run out"));
    }
    let weight = state.parts.weights.of(task_type);
    let api: Api<ProvingTask> = Api::namespaced(state.parts.client.clone(), &key.namespace);
    let record = TaskRecord::root(key, &start, task_type, weight);
    let created = within(
        "create a root ProvingTask",
        api.create(
            &PostParams::default(),
            &record.object(state.parts.fence.epoch()),
        ),
    )
    .await;
    match created {
        Err(error) if error.is_already_exists() => Ok(()),
        // A quota, a policy, a namespace on its way out: the next attempt looks whether anybody still waits.
        Err(error) if error.is_refused() => Err(StateError::Refused(error.to_string())),
        Err(error) => Err(unavailable(error)),
        Ok(_) => Ok(()),
    }
}

/// Deletes the root of a run that does not begin after all, if it is there.
pub(super) async fn abandon(state: &KubeState, start: &RunStart) {
    let Some(key) = ProofKey::parse(&start.proof) else {
        return;
    };
    let api: Api<ProvingTask> = Api::namespaced(state.parts.client.clone(), &key.namespace);
    for task_type in [TaskType::Controller, TaskType::ExecuteOnly] {
        let name = TaskRecord::root(key.clone(), start, task_type, 0).name();
        let params = DeleteParams::background();
        let deleted = within("delete a root ProvingTask", api.delete(&name, &params));
        match deleted.await {
            Err(error) if !error.is_not_found() => {
                tracing::warn!(proof = %key, %error, "the root of a run that does not begin may be left");
            }
            _ => {}
        }
    }
}

fn unavailable(error: impl std::fmt::Display) -> StateError {
    StateError::Unavailable(error.to_string())
}
