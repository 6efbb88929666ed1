//! What stands where among the inputs of the execute role's tasks.

use serde::{Deserialize, Serialize};

/// What kind of proof is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// The proofs of all shards.
    Core,
    /// One proof.
    Compressed,
    /// One proof, wrapped for PLONK verifiers.
    Plonk,
    /// One proof, wrapped for Groth16 verifiers.
    Groth16,
}

impl Mode {
    /// From the decimal number that travels.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "1" => Self::Core,
            "2" => Self::Compressed,
            "3" => Self::Plonk,
            "4" => Self::Groth16,
            _ => return None,
        })
    }
}

/// Inputs that a task cannot begin with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Something is missing.
    #[error("the task has {given} {what}, it needs {needed}")]
    Count {
        /// Inputs or outputs.
        what: &'static str,
        /// How many there are.
        given: usize,
        /// How many there must be.
        needed: usize,
    },
    /// Something does not parse.
    #[error("input {what} does not parse: {text:?}")]
    Parse {
        /// Which one.
        what: &'static str,
        /// What it says.
        text: String,
    },
}

impl InputError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        "InvalidTask"
    }
}

/// The inputs of a Controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerInputs {
    /// The program's artifact.
    pub program: String,
    /// The stdin's artifact.
    pub stdin: String,
    /// What kind of proof.
    pub mode: Mode,
    /// Most cycles that the program may take.
    pub cycle_limit: Option<u64>,
    /// Whether the stdin is a private one.
    pub stdin_private: bool,
    /// Where the proof goes.
    pub output: String,
}

impl ControllerInputs {
    /// Reads a Controller's inputs and outputs.
    pub fn read(inputs: &[String], outputs: &[String]) -> Result<Self, InputError> {
        let [program, stdin, mode, rest @ ..] = inputs else {
            return Err(count("inputs", inputs, 3));
        };
        let [output] = outputs else {
            return Err(count("outputs", outputs, 1));
        };
        let mode = Mode::parse(mode).ok_or_else(|| InputError::Parse {
            what: "mode",
            text: mode.clone(),
        })?;
        let private = match rest.get(2).map(String::as_str) {
            None | Some("") => Private::default(),
            Some(text) => serde_json::from_str(text).map_err(|_| InputError::Parse {
                what: "metadata",
                text: text.to_owned(),
            })?,
        };
        Ok(Self {
            program: program.clone(),
            stdin: stdin.clone(),
            mode,
            cycle_limit: rest.first().and_then(|text| limit(text)),
            stdin_private: private.stdin_private,
            output: output.clone(),
        })
    }
}

/// The inputs of an ExecuteOnly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecuteInputs {
    /// The program's artifact.
    pub program: String,
    /// The stdin's artifact.
    pub stdin: String,
    /// Most cycles that the program may take.
    pub cycle_limit: Option<u64>,
}

impl ExecuteInputs {
    /// Reads an ExecuteOnly's inputs, which stand where a Controller's do.
    pub fn read(inputs: &[String]) -> Result<Self, InputError> {
        let [program, stdin, _mode, cycles, ..] = inputs else {
            return Err(count("inputs", inputs, 4));
        };
        Ok(Self {
            program: program.clone(),
            stdin: stdin.clone(),
            cycle_limit: limit(cycles),
        })
    }
}

/// The last input of a CoreExecute, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoreMetadata {
    /// Proofs that the program takes as input.
    pub num_deferred_proofs: u64,
    /// Most cycles that the program may take.
    pub cycle_limit: Option<u64>,
    /// Whether the stdin is a private one.
    #[serde(default)]
    pub stdin_private: bool,
}

#[derive(Default, Deserialize)]
struct Private {
    #[serde(default)]
    stdin_private: bool,
}

fn count(what: &'static str, given: &[String], needed: usize) -> InputError {
    InputError::Count {
        what,
        given: given.len(),
        needed,
    }
}

/// A limit of nothing, or of everything, is none.
fn limit(text: &str) -> Option<u64> {
    text.parse().ok().filter(|n| (1..u64::MAX).contains(n))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
        texts.map(str::to_owned).to_vec()
    }

    #[test]
    fn a_controllers_inputs_are_read() {
        let inputs = texts(["prog", "in", "4", "1000", "", r#"{"stdin_private":true}"#]);
        let read = ControllerInputs::read(&inputs, &texts(["out"])).unwrap();
        assert_eq!((read.mode, read.cycle_limit), (Mode::Groth16, Some(1000)));
        assert!(read.stdin_private);
        assert!(ControllerInputs::read(&inputs, &[]).is_err());
        assert!(ControllerInputs::read(&texts(["p", "i", "9"]), &texts(["o"])).is_err());
        let least = ControllerInputs::read(&texts(["p", "i", "2"]), &texts(["o"])).unwrap();
        assert_eq!((least.cycle_limit, least.stdin_private), (None, false));
    }

    #[test]
    fn an_executions_inputs_are_read() {
        let read = ExecuteInputs::read(&texts(["p", "i", "0", "0"])).unwrap();
        assert_eq!(read.cycle_limit, None);
        assert!(ExecuteInputs::read(&texts(["p", "i"])).is_err());
    }
}
