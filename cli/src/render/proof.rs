//! One ProofRequest in a line or in a row.

use jiff::Timestamp;
use provost_crds::{Mode, ProofRequest};

use super::{table, time};
use crate::error::CliError;
use ::kube::ResourceExt;

/// The name with its kind, as kubectl prints it.
pub(crate) fn qualified(name: &str) -> String {
    format!("proofrequest.provost.dev/{name}")
}

/// The table of `get`: the printer columns of the kind, as of `now`.
pub(crate) fn listing(
    proofs: &[ProofRequest],
    namespaces: bool,
    wide: bool,
    now: Timestamp,
) -> String {
    let mut header = vec![
        "NAME", "MODE", "STATE", "PROGRESS", "CYCLES", "DURATION", "AGE",
    ];
    if namespaces {
        header.insert(0, "NAMESPACE");
    }
    if wide {
        header.extend(["PROGRAM", "MESSAGE"]);
    }
    let rows: Vec<Vec<String>> = proofs
        .iter()
        .map(|proof| {
            let mut row = row(proof, now);
            if namespaces {
                row.insert(0, proof.namespace().unwrap_or_default());
            }
            if wide {
                let program = proof.status.as_ref().and_then(|s| s.program_id.clone());
                row.extend([
                    program.unwrap_or_default(),
                    proof.message().replace('\n', " "),
                ]);
            }
            row
        })
        .collect();
    table::render(&header, &rows)
}

fn row(proof: &ProofRequest, now: Timestamp) -> Vec<String> {
    let status = proof.status.clone().unwrap_or_default();
    let age = proof
        .metadata
        .creation_timestamp
        .as_ref()
        .map(|t| time::short(time::between(t.0, now)));
    vec![
        proof.name_any(),
        proof.spec.mode.to_string(),
        proof.state().to_owned(),
        status.progress.unwrap_or_default(),
        status
            .execution
            .map(|e| e.cycles.to_string())
            .unwrap_or_default(),
        status.duration.unwrap_or_default(),
        age.unwrap_or_else(|| "<unknown>".to_owned()),
    ]
}

/// The names of `-o name`.
pub(crate) fn names(proofs: &[ProofRequest]) -> String {
    proofs
        .iter()
        .map(|p| qualified(&p.name_any()))
        .collect::<Vec<_>>()
        .join("\n")
}

/// How a proof ended, in one line for people.
pub(crate) fn summary(proof: &ProofRequest) -> String {
    let mut facts = Vec::new();
    let status = proof.status.clone().unwrap_or_default();
    if let Some(execution) = &status.execution {
        facts.push(format!("{} cycles", execution.cycles));
        if proof.spec.mode == Mode::Execute {
            facts.extend(execution.gas.map(|gas| format!("gas {gas}")));
            facts.extend(execution.exit_code.map(|code| format!("exit code {code}")));
            facts.extend(
                execution
                    .public_values_hash
                    .as_ref()
                    .map(|h| format!("public values {h}")),
            );
        }
    }
    facts.extend(status.duration);
    if let Some(output) = &status.proof {
        facts.push(format!(
            "proof of {}",
            time::size(output.size_bytes.unsigned_abs())
        ));
    }
    let facts = if facts.is_empty() {
        String::new()
    } else {
        format!(": {}", facts.join(", "))
    };
    format!("{} {}{facts}", qualified(&proof.name_any()), proof.state())
}

/// The error of a proof that ended without its result.
pub(crate) fn failure(proof: &ProofRequest) -> CliError {
    let mut message = proof.message().to_owned();
    if let Some(failure) = proof.status.as_ref().and_then(|s| s.failure.as_ref()) {
        if !message.contains(&failure.message) {
            message = failure.message.clone();
        }
        if let Some(task) = failure
            .task_type
            .as_ref()
            .filter(|t| !message.contains(t.as_str()))
        {
            message = format!("{message} (task {task})");
        }
    }
    CliError::failed(proof.state(), format!("{}: {message}", proof.name_any()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::proof;
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T10:05:00Z".parse().unwrap()
    }

    #[test]
    fn the_listing_has_the_columns_of_the_kind() {
        let mut done = proof("True", "Succeeded", "verified");
        let status = done.status.as_mut().unwrap();
        status.progress = Some("12/12".into());
        status.execution = serde_json::from_value(json!({"cycles": 18320})).unwrap();
        status.duration = Some("3m41s".into());
        status.program_id = Some("program_ab".into());
        let mut fresh = proof("Unknown", "Pending", "");
        fresh.status = None;
        fresh.metadata.name = Some("fresh".into());
        assert_eq!(
            listing(&[done.clone(), fresh], false, false, now()),
            "NAME    MODE         STATE       PROGRESS   CYCLES   DURATION   AGE\n\
             p       Compressed   Succeeded   12/12      18320    3m41s      5m\n\
             fresh   Compressed   Pending                                    5m\n"
        );
        let wide = listing(&[done], true, true, now());
        assert!(wide.starts_with("NAMESPACE   NAME"), "{wide}");
        assert!(wide.trim_end().ends_with("program_ab   verified"), "{wide}");
    }

    #[test]
    fn the_summary_tells_what_there_is() {
        let mut done = proof("True", "Succeeded", "");
        assert_eq!(summary(&done), "proofrequest.provost.dev/p Succeeded");
        done.spec.mode = Mode::Execute;
        done.status.as_mut().unwrap().execution =
            serde_json::from_value(json!({"cycles": 5, "exitCode": 7, "publicValuesHash": "ab"}))
                .unwrap();
        assert_eq!(
            summary(&done),
            "proofrequest.provost.dev/p Succeeded: 5 cycles, exit code 7, public values ab"
        );
        let status = done.status.as_mut().unwrap();
        status.proof = serde_json::from_value(
            json!({"artifact": "a", "sizeBytes": 1_270_000, "sha256": "", "sp1Version": "v6.1.0"}),
        )
        .unwrap();
        assert!(summary(&done).ends_with("proof of 1.27 MB"));
    }

    #[test]
    fn a_failure_shows_class_message_and_task() {
        let mut failed = proof("False", "ProgramFault", "exit code 1");
        failed.status.as_mut().unwrap().failure = serde_json::from_value(
            json!({"class": "ProgramFault", "taskType": "CoreExecute", "message": "exit code 1"}),
        )
        .unwrap();
        assert_eq!(
            failure(&failed).to_string(),
            "ProgramFault: p: exit code 1 (task CoreExecute)"
        );
        assert_eq!(
            failure(&proof("False", "Cancelled", "by spec.cancel")).to_string(),
            "Cancelled: p: by spec.cancel"
        );
    }
}
