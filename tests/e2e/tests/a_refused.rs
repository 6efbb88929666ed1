//! Bad input: what the user sees, and that nothing runs for it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use provost_e2e::{Manifest, delete, namespace, plugin, wait_event, wait_failed};
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn two_programs_at_once_are_refused_by_apply() {
    namespace();
    let answer = Manifest::new("two-programs", "fibonacci", "Core", &[1])
        .with("/spec/program/artifact", json!("program_x"))
        .apply();
    assert!(!answer.ok);
    assert!(
        answer.stderr.contains("exactly one of"),
        "{}",
        answer.stderr
    );
    assert!(answer.stderr.contains("spec.program"), "{}", answer.stderr);
}

#[test]
fn two_inputs_at_once_are_refused_by_apply() {
    namespace();
    let answer = Manifest::new("two-inputs", "fibonacci", "Core", &[1])
        .with("/spec/stdin/artifact", json!("artifact_x"))
        .apply();
    assert!(!answer.ok);
    assert!(
        answer.stderr.contains("exactly one of"),
        "{}",
        answer.stderr
    );
    assert!(answer.stderr.contains("spec.stdin"), "{}", answer.stderr);
}

#[test]
fn an_unknown_field_is_refused_by_apply() {
    namespace();
    let answer = Manifest::new("unknown-field", "fibonacci", "Core", &[1])
        .with("/spec/porgram", json!({}))
        .apply();
    assert!(!answer.ok);
    assert!(
        answer.stderr.contains("unknown field \"spec.porgram\""),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_file_that_is_no_elf_is_a_program_fault() {
    namespace();
    delete("no-elf");
    Manifest::new("no-elf", "fibonacci", "Core", &[1])
        .with("/spec/program/inline", json!("bm90IGFuIEVMRg=="))
        .apply_ok();
    let message = wait_failed("no-elf", SOON, "ProgramFault");
    assert!(
        message.contains("ELF") && message.contains("spec.program"),
        "{message}"
    );
    wait_event("no-elf", "ProgramFault");
    // The plugin says the same and its exit code tells that the request failed.
    let why = plugin(&["why", "no-elf", "-n", provost_e2e::NAMESPACE]);
    assert!(
        why.stdout.contains("ProgramFault"),
        "{}{}",
        why.stdout,
        why.stderr
    );
    delete("no-elf");
}

#[test]
fn a_mode_that_no_worker_proves_is_refused_with_the_modes_that_work() {
    namespace();
    delete("groth16");
    Manifest::new("groth16", "fibonacci", "Groth16", &[1]).apply_ok();
    let message = wait_failed("groth16", SOON, "ProgramFault");
    assert!(
        message.contains("spec.mode") && message.contains("Compressed"),
        "{message}"
    );
    wait_event("groth16", "ProgramFault");
    delete("groth16");
}
