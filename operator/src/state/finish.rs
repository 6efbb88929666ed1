//! Stores how a proof ended, before the worker that reports it gets its answer.

use jiff::Timestamp;
use provost_coordinator::{Clock, ProofOutcome, StateError};
use provost_crds::ProofRequest;

use super::KubeState;
use super::board::translate;
use super::outcome::{self, StoredProof};
use crate::api::status::Written;
use crate::controllers::proof_request::status::Change;
use crate::key::{ProofKey, created_ms};

/// Writes the outcome to the ProofRequest. Doing it again changes nothing.
pub(super) async fn finish(state: &KubeState, outcome: ProofOutcome) -> Result<(), StateError> {
    let Some(key) = ProofKey::parse(&outcome.proof) else {
        return Err(StateError::Gone("it belongs to no ProofRequest".into()));
    };
    let found = state.parts.journal.find(&key).await.map_err(unavailable)?;
    let Some(request) = found else {
        return Err(StateError::Gone("its ProofRequest was deleted".into()));
    };
    if request.terminal() {
        return Ok(());
    }
    // A leader that was stopped for a while may think the worst of its workers, while another goes on with the proof.
    if !state.parts.fence.holds() {
        return Err(unavailable("this replica's Lease has run out"));
    }
    let proof = stored_proof(state, &request, &key, &outcome).await?;
    let changes = [
        Change::Progress(translate(&outcome.progress)),
        outcome::change(&request.spec, &outcome, proof),
    ];
    let at = Clock::of_process().wall(outcome.finished_at);
    let at = Timestamp::from_millisecond(at).unwrap_or_else(|_| Timestamp::now());
    let written = state
        .parts
        .journal
        .note(&key, &changes, at, Some(&request))
        .await
        .map_err(unavailable)?;
    match written {
        Written::Gone => Err(StateError::Gone("its ProofRequest was deleted".into())),
        Written::Same | Written::Changed { .. } => Ok(()),
    }
}

async fn stored_proof(
    state: &KubeState,
    request: &ProofRequest,
    key: &ProofKey,
    outcome: &ProofOutcome,
) -> Result<Option<StoredProof>, StateError> {
    if !outcome::claims_proof(&request.spec, outcome) {
        return Ok(None);
    }
    let artifact = key.proof_artifact(created_ms(request));
    let info = state
        .parts
        .inputs
        .proof_info(&artifact)
        .await
        .map_err(unavailable)?;
    Ok(Some(StoredProof { artifact, info }))
}

fn unavailable(error: impl std::fmt::Display) -> StateError {
    StateError::Unavailable(error.to_string())
}
