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
    let mut progress = translate(&outcome.progress);
    progress.lasted_ms = lasted(&request, &outcome, Clock::of_process());
    let changes = [
        Change::Progress(progress),
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

/// How long a proof took by this process's clock, if that saw it begin: the start in the status is what this leader noted, before or after the wall
/// clock was set, and not an earlier leader.
fn lasted(request: &ProofRequest, outcome: &ProofOutcome, clock: Clock) -> Option<i64> {
    let started = outcome.progress.started_at?;
    let timings = request.status.as_ref().and_then(|s| s.timings.as_ref());
    let noted = timings.and_then(|t| Some(t.started_at.as_ref()?.0.as_millisecond()));
    let near = |at: i64| noted.is_none_or(|noted| noted.abs_diff(at) < 1000);
    let lasted = outcome.finished_at.saturating_sub(started).max(0);
    (near(started) || near(clock.wall(started))).then_some(lasted)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::state::outcome::tests::outcome;
    use provost_coordinator::ProofResult;
    use serde_json::json;

    #[test]
    fn only_who_saw_the_start_says_how_long_it_took() {
        let clock = Clock::of_process();
        let started = clock.now() - 60_000;
        let mut ended = outcome(ProofResult::Succeeded {
            extra_data: String::new(),
        });
        ended.progress.started_at = Some(started);
        ended.finished_at = started + 50_000;
        let mut request = ProofRequest::new("p", Default::default());
        assert_eq!(lasted(&request, &ended, clock), Some(50_000));
        for (earlier, known) in [(0, Some(50_000)), (30_000, None)] {
            let noted = Timestamp::from_millisecond(started - earlier).unwrap();
            let status = json!({"timings": {"startedAt": noted.to_string()}});
            request.status = serde_json::from_value(status).unwrap();
            assert_eq!(lasted(&request, &ended, clock), known);
        }
        ended.progress.started_at = None;
        assert_eq!(lasted(&request, &ended, clock), None);
    }
}
