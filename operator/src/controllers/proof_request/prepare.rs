//! Step 3: puts program and stdin into the store, or checks those that a client put there.

use provost_artifacts::{Kind, StoreError};
use provost_crds::ProofRequest;

use super::validate::{ProgramInput, StdinInput, Valid};
use crate::elf::{self, ElfError};
use crate::inputs::{Inputs, InputsError};
use crate::key::{ProofKey, created_ms};

/// Ids of the inputs in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The program.
    pub program_id: String,
    /// The stdin.
    pub stdin_id: String,
}

/// Why inputs are not in the store.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A client's artifact is not there.
    #[error(
        "{field}: {id} is not in the artifact store: upload it again (kubectl proof submit does) and name the id that the upload returns"
    )]
    Missing {
        /// The field that names it.
        field: &'static str,
        /// Its id.
        id: String,
    },
    /// A client's program is none.
    #[error("spec.program.artifact: {0}")]
    Program(#[from] ElfError),
    /// A client's artifact does not decode.
    #[error(
        "spec.program.artifact: {id} is not stored as a program ({detail}): upload it through the operator's HTTP API"
    )]
    Encoding {
        /// Its id.
        id: String,
        /// What is wrong.
        detail: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(InputsError),
}

impl PrepareError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "ArtifactNotFound",
            Self::Program(_) | Self::Encoding { .. } => "InvalidProgram",
            Self::Store(error) => error.reason(),
        }
    }

    /// Whether only another spec would help.
    pub fn is_fault(&self) -> bool {
        !self.is_store()
    }

    /// Whether the store is to blame.
    pub fn is_store(&self) -> bool {
        matches!(self, Self::Store(_))
    }
}

/// Stores what `valid` brings and checks what it names. Repeating it stores the same under the same ids.
///
/// # Errors
/// The store fails, or an artifact that the spec names is missing or wrong.
pub async fn prepare(
    inputs: &Inputs,
    request: &ProofRequest,
    key: &ProofKey,
    valid: Valid,
) -> Result<Prepared, PrepareError> {
    let program_id = match valid.program {
        ProgramInput::Elf(elf) => inputs
            .put_program(&key.uid, elf)
            .await
            .map_err(PrepareError::Store)?,
        ProgramInput::Stored(id) => stored_program(inputs, key, id).await?,
    };
    let stdin_id = match valid.stdin {
        StdinInput::Bincode(stdin) => {
            let id = key.stdin_id(created_ms(request));
            inputs
                .put_stdin(&key.uid, &id, stdin)
                .await
                .map_err(PrepareError::Store)?;
            id
        }
        StdinInput::Stored(id) => {
            hold(inputs, key, "spec.stdin.artifact", Kind::Stdin, &id).await?;
            id
        }
    };
    Ok(Prepared {
        program_id,
        stdin_id,
    })
}

/// Whether the store has what was prepared.
///
/// # Errors
/// The store fails.
pub async fn is_there(
    inputs: &Inputs,
    key: &ProofKey,
    prepared: &Prepared,
) -> Result<bool, PrepareError> {
    let Prepared {
        program_id,
        stdin_id,
    } = prepared;
    for (kind, id) in [(Kind::Program, program_id), (Kind::Stdin, stdin_id)] {
        let there = inputs.keep(&key.uid, kind, id).await;
        if !there.map_err(PrepareError::Store)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A program that a client may have put into the store by itself: nothing is taken on trust.
async fn stored_program(
    inputs: &Inputs,
    key: &ProofKey,
    id: String,
) -> Result<String, PrepareError> {
    let field = "spec.program.artifact";
    hold(inputs, key, field, Kind::Program, &id).await?;
    let elf = match inputs.read_program(&id).await {
        Ok(elf) => elf,
        Err(InputsError::Store(StoreError::NotFound { .. })) => {
            return Err(PrepareError::Missing { field, id });
        }
        Err(InputsError::Codec(error)) => {
            return Err(PrepareError::Encoding {
                id,
                detail: error.to_string(),
            });
        }
        Err(error) => return Err(PrepareError::Store(error)),
    };
    elf::validate(&elf)?;
    Ok(id)
}

async fn hold(
    inputs: &Inputs,
    key: &ProofKey,
    field: &'static str,
    kind: Kind,
    id: &str,
) -> Result<(), PrepareError> {
    match inputs.hold(&key.uid, kind, id).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(PrepareError::Missing {
            field,
            id: id.to_owned(),
        }),
        Err(error) => Err(PrepareError::Store(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metrics::Metrics;
    use bytes::Bytes;
    use provost_artifacts::{MemoryStore, Store, codec};
    use provost_crds::ProofRequestSpec;
    use std::sync::Arc;

    fn setup() -> (Arc<MemoryStore>, Inputs, ProofRequest, ProofKey) {
        let store = Arc::new(MemoryStore::new());
        let inputs = Inputs::new(store.clone(), Metrics::new());
        let request = ProofRequest::new("p", ProofRequestSpec::default());
        let key = ProofKey {
            namespace: "ns".into(),
            name: "p".into(),
            uid: "u".into(),
        };
        (store, inputs, request, key)
    }

    fn valid(program: ProgramInput) -> Valid {
        Valid {
            program,
            stdin: StdinInput::Bincode(codec::encode_stdin(&[]).into()),
        }
    }

    #[tokio::test]
    async fn the_same_inputs_get_the_same_ids() {
        let (store, inputs, request, key) = setup();
        let valid = valid(ProgramInput::Elf(Bytes::from_static(b"elf")));
        let first = prepare(&inputs, &request, &key, valid.clone())
            .await
            .unwrap();
        assert_eq!(
            prepare(&inputs, &request, &key, valid).await.unwrap(),
            first
        );
        assert_eq!(store.list(Kind::Stdin).await.unwrap().len(), 1);
        assert!(key.tag().owns(&first.stdin_id));
    }

    #[tokio::test]
    async fn a_named_artifact_must_be_there_and_be_a_program() {
        let (store, inputs, request, key) = setup();
        let named = || valid(ProgramInput::Stored("program_1".into()));
        let error = prepare(&inputs, &request, &key, named()).await.unwrap_err();
        assert!(
            error.is_fault()
                && error
                    .to_string()
                    .starts_with("spec.program.artifact: program_1 is not in"),
            "{error}"
        );
        store
            .put(Kind::Program, "program_1", Bytes::from_static(b"plain"))
            .await
            .unwrap();
        assert!(matches!(
            prepare(&inputs, &request, &key, named()).await,
            Err(PrepareError::Encoding { .. })
        ));
        let stored = codec::encode_bytes(b"plain").unwrap();
        store
            .put(Kind::Program, "program_1", stored.into())
            .await
            .unwrap();
        assert!(matches!(
            prepare(&inputs, &request, &key, named()).await,
            Err(PrepareError::Program(_))
        ));
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_no_fault() {
        let (store, inputs, request, key) = setup();
        store.set_available(false);
        let error = prepare(
            &inputs,
            &request,
            &key,
            valid(ProgramInput::Elf(Bytes::from_static(b"elf"))),
        )
        .await
        .unwrap_err();
        assert!(error.is_store() && !error.is_fault());
    }
}
