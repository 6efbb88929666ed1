//! The known answer is the one that SP1's CPU prover gives.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use serde_json::Value;

#[test]
fn a_healthy_prover_gives_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_worker"))
        .arg("check")
        .env("RUST_LOG", "warn")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(checked["device"], Value::Null);
    assert!(
        checked["known_answer_seconds"].as_f64() > Some(0.0),
        "{checked}"
    );
}
