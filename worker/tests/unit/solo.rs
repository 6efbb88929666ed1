//! `worker solo`: coordinator, store and a worker that executes, as processes.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

#[test]
fn it_does_what_standard_input_says_and_goes_on_after_what_fails() {
    let mut solo = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args([
            "solo",
            "-",
            "--mode",
            "execute",
            "--execute-gib",
            "6",
            "--patience",
            "60",
        ])
        .env("RUST_LOG", "warn")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let order = |what: &str, elf: &str| {
        let elf = format!("../guests/prebuilt/{elf}.elf");
        json!({"what": what, "program": {"elf": elf, "u32": [1000]}, "mode": "execute"})
    };
    let mut stdin = solo.stdin.take().unwrap();
    writeln!(stdin, "{}", order("first", "fibonacci")).unwrap();
    writeln!(stdin, "{{\"program\": 1}}").unwrap();
    writeln!(stdin, "{}", order("absent", "absent")).unwrap();
    writeln!(stdin, "{}", order("last", "spin")).unwrap();
    drop(stdin);
    let output = solo.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [ready, first, garbled, absent, last] = lines.as_slice() else {
        panic!("{lines:?}: {said}");
    };
    assert_eq!(ready["ready"], "solo");
    let start = &ready["workers"]["CPU"]["start"];
    assert!(start["executeBuiltSeconds"].is_f64(), "{ready}");
    assert_eq!(first["what"], "first");
    assert_eq!(first["cycles"], 7745, "{first}");
    assert_eq!(first["tasks"]["ExecuteOnly"], 1);
    assert!(
        garbled["error"].as_str().unwrap().contains("no order"),
        "{garbled}"
    );
    assert_eq!(absent["what"], "absent");
    assert!(
        absent["error"].as_str().unwrap().contains("cannot read"),
        "{absent}"
    );
    assert_eq!(last["what"], "last");
    assert!(!output.status.success() && said.contains("2 of the orders failed"));
}
