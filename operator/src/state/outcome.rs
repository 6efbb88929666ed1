//! What an outcome of the coordinator means for a request. Pure.

use provost_artifacts::ObjectInfo;
use provost_coordinator::{ProofOutcome, ProofResult, task_name};
use provost_crds::{Execution, Failure, FailureClass, Mode, ProofOutput, ProofRequestSpec};
use provost_proto::SP1_CIRCUIT_VERSION;
use serde::Deserialize;

use super::object::class;
use crate::controllers::proof_request::status::Change;

/// What a worker says of a result, as far as it does.
#[derive(Debug, Default, Deserialize)]
struct Extra {
    cycles: Option<i64>,
    gas: Option<i64>,
    exit_code: Option<i64>,
    public_values_hash: Option<String>,
    vk_hash: Option<String>,
    sp1_version: Option<String>,
}

impl Extra {
    /// Reads the worker's JSON. A worker that says nothing, or something else, is no failure.
    fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    fn execution(&self) -> Option<Execution> {
        let cycles = self.cycles?.max(0);
        let gas = self.gas.map(|gas| gas.max(0));
        let public_values_hash = self.public_values_hash.clone().map(|hash| cut(hash, 128));
        Some(Execution {
            cycles,
            gas,
            exit_code: self.exit_code,
            public_values_hash,
        })
    }
}

/// The proof in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredProof {
    pub(super) artifact: String,
    pub(super) info: Option<ObjectInfo>,
}

/// Whether the outcome claims that a proof is in the store.
pub(super) fn claims_proof(spec: &ProofRequestSpec, outcome: &ProofOutcome) -> bool {
    spec.mode != Mode::Execute && matches!(outcome.result, ProofResult::Succeeded { .. })
}

/// The change of the request. `proof` is what the store says of its proof, if the outcome claims one.
pub(super) fn change(
    spec: &ProofRequestSpec,
    outcome: &ProofOutcome,
    proof: Option<StoredProof>,
) -> Change {
    match &outcome.result {
        ProofResult::Succeeded { extra_data } => succeeded(spec, &Extra::parse(extra_data), proof),
        ProofResult::Failed {
            failure,
            extra_data,
        } => Change::Failed {
            failure: Failure {
                class: class(failure.class),
                task: failure.task.as_ref().map(|task| cut(task.to_string(), 253)),
                task_type: failure.task_type.map(|kind| task_name(kind).to_owned()),
                message: advise(spec, class(failure.class), &failure.message),
            },
            execution: Extra::parse(extra_data).execution(),
        },
        ProofResult::Cancelled { reason } => Change::Cancelled {
            message: format!("cancelled: {reason}"),
        },
    }
}

/// Names the field behind a limit that only SP1's words speak of, and the fix.
fn advise(spec: &ProofRequestSpec, class: FailureClass, message: &str) -> String {
    match spec.limits.cycles {
        Some(limit) if class == FailureClass::ProgramFault && message.contains("cycle limit") => {
            format!("{message}: spec.limits.cycles is {limit}, raise it or shorten the program")
        }
        _ => message.to_owned(),
    }
}

fn succeeded(spec: &ProofRequestSpec, extra: &Extra, proof: Option<StoredProof>) -> Change {
    let execution = extra.execution();
    let fault = |message: String| failed(FailureClass::ProgramFault, message, execution.clone());
    if let (Some(limit), Some(gas)) = (spec.limits.gas, extra.gas)
        && gas > limit
    {
        return fault(format!(
            "the program used {gas} gas, spec.limits.gas is {limit}: raise it or shorten the program"
        ));
    }
    let Some(proof) = proof else {
        return Change::Succeeded {
            execution,
            proof: None,
        };
    };
    if let Some(code) = extra.exit_code.filter(|code| *code != 0) {
        return fault(format!(
            "the program ended with exit code {code}; only exit code 0 can be proved: run it with mode Execute"
        ));
    }
    let Some(info) = proof.info else {
        let message = format!(
            "the worker reported the proof as finished, but {} is not in the store",
            proof.artifact
        );
        return failed(FailureClass::Bug, message, execution);
    };
    let output = ProofOutput {
        artifact: proof.artifact,
        size_bytes: i64::try_from(info.size).unwrap_or(i64::MAX),
        sha256: info.sha256.unwrap_or_default(),
        vk_hash: extra.vk_hash.clone().map(|hash| cut(hash, 128)),
        sp1_version: extra.sp1_version.clone().map_or_else(
            || SP1_CIRCUIT_VERSION.to_owned(),
            |version| cut(version, 64),
        ),
    };
    Change::Succeeded {
        execution,
        proof: Some(output),
    }
}

fn failed(class: FailureClass, message: String, execution: Option<Execution>) -> Change {
    Change::Failed {
        failure: Failure {
            class,
            task: None,
            task_type: None,
            message,
        },
        execution,
    }
}

/// At most `max` characters: the API server refuses more.
fn cut(text: String, max: usize) -> String {
    text.chars().take(max).collect()
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
pub(super) mod tests;
