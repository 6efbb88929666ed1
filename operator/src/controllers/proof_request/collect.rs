//! The last steps: remove from the store what a request that has ended needs no more, and all of one that goes.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use provost_artifacts::{Kind, id};
use provost_crds::ProofRequest;

use crate::inputs::{Inputs, InputsError};
use crate::key::{ProofKey, created_ms, named};

/// Why something is left in the store.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The store failed.
    #[error("the proof's artifacts could not be removed: {0}")]
    Store(#[from] InputsError),
}

impl CollectError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Store(error) => error.reason(),
        }
    }
}

/// Removes what tasks handed to each other.
///
/// # Errors
/// The store fails.
pub async fn sweep(inputs: &Inputs, key: &ProofKey) -> Result<(), CollectError> {
    let removed = inputs.sweep(key.tag()).await?;
    if removed > 0 {
        tracing::info!(proof = %key, removed, "removed intermediate artifacts");
    }
    Ok(())
}

/// Removes what a request that has ended and is kept needs no more: what tasks handed to each other, and a proof that came too late to count.
///
/// # Errors
/// The store fails.
pub async fn tidy(
    inputs: &Inputs,
    request: &ProofRequest,
    key: &ProofKey,
) -> Result<(), CollectError> {
    sweep(inputs, key).await?;
    let counts = request
        .status
        .as_ref()
        .is_some_and(|status| status.proof.is_some());
    if !counts {
        inputs
            .remove_proof(&key.proof_artifact(created_ms(request)))
            .await?;
    }
    Ok(())
}

/// Removes everything: intermediate artifacts, the proof, and the inputs that no other request names. `all` tells which requests there
/// are: it is asked when the inputs' turn comes, so that of several that go at the same time the last one sees that the others go too. `None` if
/// that cannot be told: the inputs stay then.
///
/// # Errors
/// The store fails.
pub async fn collect(
    inputs: &Inputs,
    request: &ProofRequest,
    key: &ProofKey,
    all: impl Fn() -> Option<Vec<Arc<ProofRequest>>>,
) -> Result<(), CollectError> {
    sweep(inputs, key).await?;
    inputs
        .remove_proof(&key.proof_artifact(created_ms(request)))
        .await?;
    // One that is on its way out needs nothing: of two that go at the same time neither keeps anything for the other.
    let names = |id: &str| {
        let needs = |other: &Arc<ProofRequest>| {
            let stays = other.metadata.deletion_timestamp.is_none();
            stays && other.metadata.uid.as_deref() != Some(&key.uid) && named(other).contains(id)
        };
        all().is_none_or(|all| all.iter().any(needs))
    };
    let (created, own) = (created_ms(request), own(request, key));
    inputs
        .release(&key.uid, created, &own, &uploads(request), names)
        .await?;
    Ok(())
}

/// The inputs that the request names as a client's uploads.
fn uploads(request: &ProofRequest) -> Vec<&str> {
    let stdin = request.spec.stdin.as_ref();
    let ids = [
        request.spec.program.artifact.as_deref(),
        stdin.and_then(|stdin| stdin.artifact.as_deref()),
    ];
    ids.into_iter().flatten().collect()
}

/// The inputs that the request may have put into the store or named.
fn own(request: &ProofRequest, key: &ProofKey) -> Vec<(Kind, String)> {
    let status = request.status.as_ref();
    let program = &request.spec.program;
    // An earlier operator may have ended between the upload and the note of it in the status.
    let inline = program
        .inline
        .as_ref()
        .and_then(|text| STANDARD.decode(text).ok())
        .map(|elf| id::program_id(&elf));
    let programs = [
        status.and_then(|s| s.program_id.clone()),
        program.artifact.clone(),
        inline,
    ];
    let stdins = [
        Some(key.stdin_id(created_ms(request))),
        status.and_then(|s| s.stdin_id.clone()),
        request.spec.stdin.as_ref().and_then(|s| s.artifact.clone()),
    ];
    let programs: BTreeSet<_> = programs
        .into_iter()
        .flatten()
        .map(|id| (Kind::Program, id))
        .collect();
    let stdins: BTreeSet<_> = stdins
        .into_iter()
        .flatten()
        .map(|id| (Kind::Stdin, id))
        .collect();
    programs.into_iter().chain(stdins).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metrics::Metrics;
    use bytes::Bytes;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use provost_artifacts::{MemoryStore, Store};
    use provost_crds::{ProofOutput, ProofRequestStatus};
    use serde_json::json;

    fn request(uid: &str, spec: serde_json::Value) -> ProofRequest {
        let mut request = ProofRequest::new("p", serde_json::from_value(spec).unwrap());
        request.metadata.namespace = Some("ns".into());
        request.metadata.uid = Some(uid.into());
        request
    }

    #[tokio::test]
    async fn everything_of_a_request_goes_and_nothing_else() {
        let store = Arc::new(MemoryStore::new());
        let inputs = Inputs::new(store.clone(), Metrics::new());
        let mine = request("u1", json!({"program": {"inline": STANDARD.encode("elf")}}));
        let key = ProofKey::of(&mine);
        let stdin = key.stdin_id(0);
        inputs
            .put_program("u1", Bytes::from_static(b"elf"))
            .await
            .unwrap();
        inputs
            .put_stdin("u1", &stdin, Bytes::from_static(b"in"))
            .await
            .unwrap();
        store
            .put(Kind::Proof, &key.proof_artifact(0), Bytes::new())
            .await
            .unwrap();
        store
            .put(Kind::Artifact, &id::mint(key.tag(), 5, 5), Bytes::new())
            .await
            .unwrap();
        store
            .put(Kind::Program, "program_other", Bytes::new())
            .await
            .unwrap();
        collect(&inputs, &mine, &key, || Some(vec![Arc::new(mine.clone())]))
            .await
            .unwrap();
        let mut left = Vec::new();
        for kind in Kind::ALL {
            left.extend(
                store
                    .list(kind)
                    .await
                    .unwrap()
                    .into_iter()
                    .map(|object| object.id),
            );
        }
        assert_eq!(left, ["program_other"]);
    }

    #[tokio::test]
    async fn only_a_proof_that_counts_is_kept() {
        for (outcome, left) in [(None, 0), (Some(ProofOutput::default()), 1)] {
            let store = Arc::new(MemoryStore::new());
            let inputs = Inputs::new(store.clone(), Metrics::new());
            let mut ended = request("u1", json!({"program": {"artifact": "program_1"}}));
            ended.status = Some(ProofRequestStatus {
                proof: outcome,
                ..ProofRequestStatus::default()
            });
            let key = ProofKey::of(&ended);
            let kept = [
                (Kind::Program, "program_1".to_owned()),
                (Kind::Proof, key.proof_artifact(0)),
                (Kind::Artifact, id::mint(key.tag(), 5, 5)),
            ];
            for (kind, id) in &kept {
                store.put(*kind, id, Bytes::new()).await.unwrap();
            }
            tidy(&inputs, &ended, &key).await.unwrap();
            let count = async |kind| store.list(kind).await.unwrap().len();
            assert_eq!(count(Kind::Artifact).await, 0);
            assert_eq!(count(Kind::Program).await, 1);
            assert_eq!(count(Kind::Proof).await, left);
        }
    }

    #[tokio::test]
    async fn an_input_that_another_request_names_stays() {
        let store = Arc::new(MemoryStore::new());
        let inputs = Inputs::new(store.clone(), Metrics::new());
        store
            .put(Kind::Program, "program_1", Bytes::new())
            .await
            .unwrap();
        let mine = request("u1", json!({"program": {"artifact": "program_1"}}));
        let other = Arc::new(request("u2", json!({"program": {"artifact": "program_1"}})));
        let key = ProofKey::of(&mine);
        collect(&inputs, &mine, &key, || Some(vec![other.clone()]))
            .await
            .unwrap();
        assert_eq!(store.list(Kind::Program).await.unwrap().len(), 1);
        collect(&inputs, &mine, &key, || None).await.unwrap();
        assert_eq!(store.list(Kind::Program).await.unwrap().len(), 1);
        let mut going = request("u2", json!({"program": {"artifact": "program_1"}}));
        going.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        let going = Arc::new(going);
        collect(&inputs, &mine, &key, || Some(vec![going.clone()]))
            .await
            .unwrap();
        assert!(store.list(Kind::Program).await.unwrap().is_empty());
    }
}
