//! Mode Execute on SP1's own executor.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use provost_e2e::{Manifest, delete, kubectl_ok, namespace, wait_succeeded};

const EXECUTION: Duration = Duration::from_secs(30);

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
