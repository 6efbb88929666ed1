//! What becomes part of the object and what is sent ahead as an artifact.
//!
//! Small things travel inside the ProofRequest: one call, readable with kubectl, nothing left behind. Large
//! ones would not fit into etcd.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use provost_artifacts::codec;
use provost_crds::StdinEntry;

use crate::args::stdin::{StdinArgs, Value};
use crate::error::CliError;

/// The longest ELF in base64 that goes inside the object.
const INLINE_PROGRAM: usize = 512 * 1024;
/// The most values that go inside the object, the most characters of one in base64, and of all together. Like
/// the bound above, well below what the API takes.
const ENTRIES: usize = 64;
const ENTRY: usize = 32 * 1024;
const ENTRIES_TOTAL: usize = 256 * 1024;

/// How the program travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProgramPlan {
    /// As `spec.program.inline`, in base64.
    Inline(String),
    /// As an artifact.
    Upload(Bytes),
}

/// How the input travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StdinPlan {
    /// There is none.
    Nothing,
    /// As `spec.stdin.entries`.
    Entries(Vec<StdinEntry>),
    /// As an artifact: SP1Stdin in bincode.
    Upload(Bytes),
}

/// Plans the program.
pub(crate) fn program(elf: Vec<u8>, upload: bool) -> ProgramPlan {
    if upload || elf.len().div_ceil(3) * 4 > INLINE_PROGRAM {
        return ProgramPlan::Upload(elf.into());
    }
    ProgramPlan::Inline(STANDARD.encode(elf))
}

/// Reads the files that the arguments name, and plans the input.
pub(crate) fn stdin(args: &StdinArgs, upload: bool) -> Result<StdinPlan, CliError> {
    let values = match args {
        StdinArgs::Ready(path) => {
            return super::file::read(path).map(|data| StdinPlan::Upload(data.into()));
        }
        StdinArgs::Values(values) => values,
    };
    let entries = values.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    if entries.is_empty() {
        return Ok(StdinPlan::Nothing);
    }
    let sizes = || {
        entries
            .iter()
            .map(|e| e.base64.as_ref().map_or(0, String::len))
    };
    let small = entries.len() <= ENTRIES
        && sizes().all(|s| s <= ENTRY)
        && sizes().sum::<usize>() <= ENTRIES_TOTAL;
    if small && !upload {
        return Ok(StdinPlan::Entries(entries));
    }
    let hints = entries
        .iter()
        .map(|e| {
            e.bytes()
                .map_err(|e| CliError::usage(format!("--bytes: {e}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(StdinPlan::Upload(codec::encode_stdin(&hints).into()))
}

/// One value as the API writes it.
fn entry(value: &Value) -> Result<StdinEntry, CliError> {
    let bytes = |data: &[u8]| StdinEntry {
        base64: Some(STANDARD.encode(data)),
        ..StdinEntry::default()
    };
    Ok(match value {
        Value::U32(n) => StdinEntry {
            u32: Some(*n),
            ..StdinEntry::default()
        },
        // The API's integers are signed: a larger number goes as its eight bytes.
        Value::U64(n) if i64::try_from(*n).is_err() => bytes(&n.to_le_bytes()),
        Value::U64(n) => StdinEntry {
            u64: Some(*n),
            ..StdinEntry::default()
        },
        Value::Bytes(data) => bytes(data),
        Value::File(path) => bytes(&super::file::read(path)?),
    })
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;
    use provost_crds::{Program, ProofRequest, ProofRequestSpec, Stdin};

    use super::*;

    fn values(values: Vec<Value>) -> StdinArgs {
        StdinArgs::Values(values)
    }

    #[test]
    fn a_small_program_goes_inside_and_a_large_one_ahead() {
        assert_eq!(
            program(b"abc".to_vec(), false),
            ProgramPlan::Inline("YWJj".into())
        );
        assert!(matches!(
            program(b"abc".to_vec(), true),
            ProgramPlan::Upload(_)
        ));
        let edge = INLINE_PROGRAM / 4 * 3;
        let ProgramPlan::Inline(text) = program(vec![0; edge], false) else {
            panic!("inline")
        };
        assert_eq!(text.len(), INLINE_PROGRAM);
        assert!(matches!(
            program(vec![0; edge + 1], false),
            ProgramPlan::Upload(_)
        ));
    }

    #[test]
    fn values_keep_their_type_and_order() {
        let args = values(vec![
            Value::U32(7),
            Value::Bytes(vec![1]),
            Value::U64(9),
            Value::U64(u64::MAX),
        ]);
        let StdinPlan::Entries(entries) = stdin(&args, false).unwrap() else {
            panic!("entries")
        };
        assert_eq!(
            serde_json::to_value(entries).unwrap(),
            serde_json::json!([{"u32": 7}, {"base64": "AQ=="}, {"u64": 9}, {"base64": "//////////8="}])
        );
    }

    #[test]
    fn what_goes_inside_is_within_the_bounds_of_the_api() {
        let crd = serde_json::to_value(ProofRequest::crd()).unwrap();
        let entries = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
            ["properties"]["stdin"]["properties"]["entries"];
        let bound = |value: &serde_json::Value| value.as_u64().unwrap() as usize;
        assert!(ENTRIES <= bound(&entries["maxItems"]));
        assert!(ENTRY <= bound(&entries["items"]["properties"]["base64"]["maxLength"]));

        let spec = ProofRequestSpec {
            program: Program {
                inline: Some("A".repeat(INLINE_PROGRAM)),
                ..Program::default()
            },
            stdin: Some(Stdin {
                entries: Some(vec![
                    StdinEntry {
                        base64: Some("A".repeat(ENTRY)),
                        ..StdinEntry::default()
                    };
                    ENTRIES_TOTAL / ENTRY
                ]),
                ..Stdin::default()
            }),
            ..ProofRequestSpec::default()
        };
        let errors = ProofRequest::new("p", spec).validate_cel();
        assert!(errors.is_ok(), "{errors:?}");
    }

    #[test]
    fn no_values_are_no_stdin() {
        assert_eq!(
            stdin(&values(Vec::new()), true).unwrap(),
            StdinPlan::Nothing
        );
    }

    #[test]
    fn what_does_not_fit_is_encoded_as_sp1_does() {
        // bincode: count, then length and bytes of each hint, the read position, no proofs.
        let expected = [
            &2_u64.to_le_bytes()[..],
            &4_u64.to_le_bytes(),
            &7_u32.to_le_bytes(),
            &1_u64.to_le_bytes(),
            &[9],
            &0_u64.to_le_bytes(),
            &0_u64.to_le_bytes(),
        ]
        .concat();
        let args = values(vec![Value::U32(7), Value::Bytes(vec![9])]);
        assert_eq!(
            stdin(&args, true).unwrap(),
            StdinPlan::Upload(expected.into())
        );
        let many = values(vec![Value::U32(0); ENTRIES + 1]);
        assert!(matches!(stdin(&many, false).unwrap(), StdinPlan::Upload(_)));
        let long = values(vec![Value::Bytes(vec![0; ENTRY])]);
        assert!(matches!(stdin(&long, false).unwrap(), StdinPlan::Upload(_)));
        let sum = values(vec![Value::Bytes(vec![0; ENTRY / 4 * 3]); 9]);
        assert!(matches!(stdin(&sum, false).unwrap(), StdinPlan::Upload(_)));
    }

    #[test]
    fn files_are_hints_and_a_ready_file_is_sent_as_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"hi").unwrap();
        let args = values(vec![Value::File(file.path().into())]);
        let StdinPlan::Entries(entries) = stdin(&args, false).unwrap() else {
            panic!("entries")
        };
        assert_eq!(entries[0].base64.as_deref(), Some("aGk="));
        let ready = stdin(&StdinArgs::Ready(file.path().into()), false).unwrap();
        assert_eq!(ready, StdinPlan::Upload(Bytes::from_static(b"hi")));
        assert_eq!(
            stdin(&values(vec![Value::File("/none".into())]), false)
                .unwrap_err()
                .code(),
            1
        );
    }
}
