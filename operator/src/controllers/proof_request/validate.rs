//! Step 2: checks a spec with all that it refers to. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use provost_artifacts::codec::{self, CodecError};
use provost_crds::{Mode, ProofRequestSpec, Stdin};

use super::resolve::Referenced;
use crate::elf::{self, ElfError};

/// A program that passed, or one that is in the store and still has to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramInput {
    /// An ELF that passed.
    Elf(Bytes),
    /// Id of an uploaded one.
    Stored(String),
}

/// A stdin that passed, or one that is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StdinInput {
    /// Bincode of an SP1Stdin.
    Bincode(Bytes),
    /// Id of an uploaded one.
    Stored(String),
}

/// Inputs that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Valid {
    /// The program.
    pub program: ProgramInput,
    /// What it reads.
    pub stdin: StdinInput,
}

/// Why a spec cannot be proved. Every message names the field and the way out.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// The mode is not there yet.
    #[error("spec.mode: {0} is not supported yet: use Execute, Core or Compressed")]
    Mode(Mode),
    /// No program at all; the API server refuses this.
    #[error("spec.program: set exactly one of artifact, inline, configMap")]
    NoProgram,
    /// Not base64.
    #[error("{field}: not standard base64 ({source}): encode with `base64 -w0 FILE`")]
    Base64 {
        /// The field.
        field: String,
        /// What is wrong.
        source: base64::DecodeError,
    },
    /// Not a program that SP1 loads.
    #[error("{field}: {source}")]
    Program {
        /// The field.
        field: &'static str,
        /// What is wrong.
        source: ElfError,
    },
    /// Not an SP1Stdin.
    #[error(
        "{field}: not the bincode of an SP1Stdin ({source}): write it with bincode::serialize(&stdin), or list the hints under spec.stdin.entries"
    )]
    Stdin {
        /// The field.
        field: &'static str,
        /// What is wrong.
        source: CodecError,
    },
}

impl ValidateError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Mode(_) => "UnsupportedMode",
            Self::NoProgram | Self::Base64 { .. } | Self::Program { .. } => "InvalidProgram",
            Self::Stdin { .. } => "InvalidStdin",
        }
    }
}

/// Checks `spec` with what it refers to. `wraps`: there are workers that wrap proofs.
///
/// # Errors
/// The first thing that is wrong.
pub fn validate(
    spec: &ProofRequestSpec,
    referenced: &Referenced,
    wraps: bool,
) -> Result<Valid, ValidateError> {
    if !wraps && matches!(spec.mode, Mode::Groth16 | Mode::Plonk) {
        return Err(ValidateError::Mode(spec.mode));
    }
    Ok(Valid {
        program: program(spec, referenced)?,
        stdin: stdin(spec.stdin.as_ref(), referenced)?,
    })
}

fn program(
    spec: &ProofRequestSpec,
    referenced: &Referenced,
) -> Result<ProgramInput, ValidateError> {
    let (field, elf) = if let Some(id) = &spec.program.artifact {
        return Ok(ProgramInput::Stored(id.clone()));
    } else if let Some(text) = &spec.program.inline {
        let field = "spec.program.inline";
        let elf = STANDARD
            .decode(text)
            .map_err(|source| ValidateError::Base64 {
                field: field.to_owned(),
                source,
            })?;
        (field, Bytes::from(elf))
    } else if let Some(elf) = &referenced.program {
        ("spec.program.configMap", elf.clone())
    } else {
        return Err(ValidateError::NoProgram);
    };
    elf::validate(&elf).map_err(|source| ValidateError::Program { field, source })?;
    Ok(ProgramInput::Elf(elf))
}

fn stdin(stdin: Option<&Stdin>, referenced: &Referenced) -> Result<StdinInput, ValidateError> {
    let Some(stdin) = stdin else {
        return Ok(StdinInput::Bincode(codec::encode_stdin(&[]).into()));
    };
    if let Some(id) = &stdin.artifact {
        return Ok(StdinInput::Stored(id.clone()));
    }
    if let Some(bytes) = &referenced.stdin {
        let field = "spec.stdin.configMap";
        codec::check_stdin(bytes).map_err(|source| ValidateError::Stdin { field, source })?;
        return Ok(StdinInput::Bincode(bytes.clone()));
    }
    let mut hints = Vec::new();
    for (index, entry) in stdin.entries.iter().flatten().enumerate() {
        let field = || format!("spec.stdin.entries[{index}].base64");
        hints.push(entry.bytes().map_err(|source| ValidateError::Base64 {
            field: field(),
            source,
        })?);
    }
    Ok(StdinInput::Bincode(codec::encode_stdin(&hints).into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn spec(json: serde_json::Value) -> ProofRequestSpec {
        serde_json::from_value(json).unwrap()
    }

    fn message(json: serde_json::Value, referenced: &Referenced) -> String {
        validate(&spec(json), referenced, false)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn entries_become_a_stdin() {
        let spec = spec(
            json!({"program": {"artifact": "program_1"}, "stdin": {"entries": [{"u32": 7}, {"base64": "aGk="}]}}),
        );
        let valid = validate(&spec, &Referenced::default(), false).unwrap();
        assert_eq!(valid.program, ProgramInput::Stored("program_1".into()));
        let expected = codec::encode_stdin(&[vec![7, 0, 0, 0], b"hi".to_vec()]);
        assert_eq!(valid.stdin, StdinInput::Bincode(expected.into()));
    }

    #[test]
    fn no_stdin_is_an_empty_one() {
        let valid = validate(
            &spec(json!({"program": {"artifact": "p"}})),
            &Referenced::default(),
            false,
        )
        .unwrap();
        assert_eq!(
            valid.stdin,
            StdinInput::Bincode(codec::encode_stdin(&[]).into())
        );
    }

    #[test]
    fn wraps_are_refused_with_the_supported_modes() {
        for mode in ["Groth16", "Plonk"] {
            let text = message(
                json!({"program": {"artifact": "p"}, "mode": mode}),
                &Referenced::default(),
            );
            assert!(
                text.contains("spec.mode") && text.contains(mode) && text.contains("Compressed"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_bad_program_names_its_field() {
        let none = Referenced::default();
        let text = message(
            json!({"program": {"inline": STANDARD.encode("#!/bin/sh")}}),
            &none,
        );
        assert!(
            text.starts_with("spec.program.inline: not an ELF file"),
            "{text}"
        );
        let text = message(json!({"program": {"inline": "a"}}), &none);
        assert!(
            text.starts_with("spec.program.inline: not standard base64"),
            "{text}"
        );
        let map = Referenced {
            program: Some(Bytes::from_static(b"\x7fELF")),
            stdin: None,
        };
        let text = message(
            json!({"program": {"configMap": {"name": "m", "key": "k"}}}),
            &map,
        );
        assert!(
            text.starts_with("spec.program.configMap: the ELF file is cut short"),
            "{text}"
        );
        assert!(message(json!({"program": {}}), &none).contains("exactly one"));
    }

    #[test]
    fn a_bad_stdin_names_its_field() {
        let none = Referenced::default();
        let entry = json!({"program": {"artifact": "p"}, "stdin": {"entries": [{"u32": 1}, {"base64": "?"}]}});
        assert!(message(entry, &none).starts_with("spec.stdin.entries[1].base64"));
        let map = Referenced {
            program: None,
            stdin: Some(Bytes::from_static(b"text")),
        };
        let text = message(
            json!({"program": {"artifact": "p"}, "stdin": {"configMap": {"name": "m", "key": "k"}}}),
            &map,
        );
        assert!(
            text.starts_with("spec.stdin.configMap: not the bincode"),
            "{text}"
        );
    }
}
