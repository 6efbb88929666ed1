//! Step 0: what an earlier start of the request stored is used again, whatever became of its source since.

use std::borrow::Cow;

use provost_artifacts::Kind;
use provost_crds::{Program, ProofRequest, ProofRequestSpec, Stdin};

use super::prepare::PrepareError;
use crate::inputs::Inputs;
use crate::key::ProofKey;

/// The request's spec, with the artifacts in it that its status names and the store still has. A proof that begins again is so of the same
/// program and stdin, though a ConfigMap was changed or deleted meanwhile.
///
/// # Errors
/// The store fails.
pub async fn spec<'a>(
    inputs: &Inputs,
    request: &'a ProofRequest,
    key: &ProofKey,
) -> Result<Cow<'a, ProofRequestSpec>, PrepareError> {
    let mut spec = Cow::Borrowed(&request.spec);
    let status = request.status.as_ref();
    let program = status.and_then(|status| status.program_id.as_deref());
    if let Some(id) = held(inputs, key, Kind::Program, program).await? {
        spec.to_mut().program = Program {
            artifact: Some(id),
            ..Program::default()
        };
    }
    let stdin = status.and_then(|status| status.stdin_id.as_deref());
    if let Some(id) = held(inputs, key, Kind::Stdin, stdin).await? {
        spec.to_mut().stdin = Some(Stdin {
            artifact: Some(id),
            ..Stdin::default()
        });
    }
    Ok(spec)
}

/// `id`, if the store has it; then the request holds it.
async fn held(
    inputs: &Inputs,
    key: &ProofKey,
    kind: Kind,
    id: Option<&str>,
) -> Result<Option<String>, PrepareError> {
    let Some(id) = id else {
        return Ok(None);
    };
    let there = inputs.keep(&key.uid, kind, id).await;
    let there = there.map_err(PrepareError::Store)?;
    Ok(there.then(|| id.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use bytes::Bytes;
    use provost_artifacts::MemoryStore;
    use provost_crds::{ConfigMapKey, ProofRequestStatus};

    use super::*;
    use crate::metrics::Metrics;

    fn from_config_map() -> ProofRequest {
        let config_map = Some(ConfigMapKey {
            name: "guests".into(),
            key: "fib".into(),
        });
        let spec = ProofRequestSpec {
            program: Program {
                config_map: config_map.clone(),
                ..Program::default()
            },
            stdin: Some(Stdin {
                config_map,
                ..Stdin::default()
            }),
            priority: 7,
            ..ProofRequestSpec::default()
        };
        ProofRequest::new("p", spec)
    }

    fn key() -> ProofKey {
        ProofKey {
            namespace: "ns".into(),
            name: "p".into(),
            uid: "u".into(),
        }
    }

    #[tokio::test]
    async fn what_was_stored_before_takes_the_place_of_its_source() {
        let store = Arc::new(MemoryStore::new());
        let inputs = Inputs::new(store.clone(), Metrics::new());
        let mut request = from_config_map();
        let first = spec(&inputs, &request, &key()).await.unwrap();
        assert_eq!(first.into_owned(), request.spec, "nothing is stored yet");

        let elf = Bytes::from_static(b"elf");
        let program = inputs.put_program("u", elf).await.unwrap();
        request.status = Some(ProofRequestStatus {
            program_id: Some(program.clone()),
            stdin_id: Some("lost".into()),
            ..ProofRequestStatus::default()
        });
        let again = spec(&inputs, &request, &key()).await.unwrap();
        let stored = Program {
            artifact: Some(program),
            ..Program::default()
        };
        assert_eq!(again.program, stored);
        assert_eq!(again.stdin, request.spec.stdin, "the store lost it");
        assert_eq!(again.priority, 7);

        let stdin = Bytes::from_static(b"stdin");
        inputs.put_stdin("u", "lost", stdin).await.unwrap();
        let again = spec(&inputs, &request, &key()).await.unwrap();
        let artifact = again.stdin.as_ref().unwrap().artifact.as_deref();
        assert_eq!(artifact, Some("lost"));

        store.set_available(false);
        let error = spec(&inputs, &request, &key()).await.unwrap_err();
        assert!(error.is_store(), "{error}");
    }
}
