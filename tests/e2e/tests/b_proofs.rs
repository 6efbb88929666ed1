//! Real executions and real proofs, verified by SP1's verifier against the user's ELF.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use provost_e2e::{
    Manifest, delete, guest, kubectl_ok, namespace, verify, wait_prover, wait_succeeded,
};
use serde_json::json;

const EXECUTION: Duration = Duration::from_secs(30);
const CORE_PROOF: Duration = Duration::from_secs(400);

#[test]
fn a_execute_reports_cycles_gas_exit_code_and_public_values() {
    namespace();
    delete("execute");
    Manifest::new("execute", "fibonacci", "Execute", &[1000]).apply_ok();
    let proof = wait_succeeded("execute", EXECUTION);
    let execution = &proof["status"]["execution"];
    assert!(execution["cycles"].as_u64().unwrap() > 5_000, "{execution}");
    assert!(execution["gas"].as_u64().unwrap() > 0, "{execution}");
    assert_eq!(execution["exitCode"].as_u64(), Some(0));
    assert_eq!(
        execution["publicValuesHash"]
            .as_str()
            .unwrap()
            .trim_start_matches("0x")
            .len(),
        64
    );
    let row = kubectl_ok(&["-n", provost_e2e::NAMESPACE, "get", "proofs", "execute"]);
    assert!(row.contains("Succeeded"), "{row}");
    delete("execute");
}

#[test]
fn b_a_non_zero_exit_is_a_result_of_execute() {
    namespace();
    delete("execute-exit7");
    Manifest::new("execute-exit7", "exit7", "Execute", &[]).apply_ok();
    let proof = wait_succeeded("execute-exit7", EXECUTION);
    assert_eq!(proof["status"]["execution"]["exitCode"].as_u64(), Some(7));
    delete("execute-exit7");
}

#[test]
fn c_core_proof_of_fibonacci_verifies() {
    namespace();
    wait_prover("workers");
    delete("core-fibonacci");
    Manifest::new("core-fibonacci", "fibonacci", "Core", &[1000]).apply_ok();
    let proof = wait_succeeded("core-fibonacci", CORE_PROOF);
    assert!(proof["status"]["proof"]["sizeBytes"].as_u64().unwrap() > 1_000_000);
    let printed = verify("core-fibonacci", &guest("fibonacci"));
    // n = 1000, then the last two numbers modulo 7919, each a little-endian u32.
    assert!(printed.contains("0xe80300004d170000430e0000"), "{printed}");
    delete("core-fibonacci");
}

#[test]
fn d_core_proof_of_keccak_verifies() {
    namespace();
    wait_prover("workers");
    delete("core-keccak");
    Manifest::new("core-keccak", "keccak", "Core", &[])
        .with("/spec/stdin/entries", json!([{ "base64": "aGVsbG8=" }]))
        .apply_ok();
    wait_succeeded("core-keccak", CORE_PROOF);
    let printed = verify("core-keccak", &guest("keccak"));
    assert!(
        printed.contains("0x1c8aff95"),
        "keccak256 of \"hello\": {printed}"
    );
    delete("core-keccak");
}
