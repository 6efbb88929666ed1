//! The prebuilt guests do what they say, on SP1's own executor.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use serde_json::Value;

fn execute(guest: &str, args: &[&str]) -> Value {
    // cargo runs tests in the folder of their crate.
    let elf = format!("../guests/prebuilt/{guest}.elf");
    let output = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args(["execute", &elf])
        .args(args)
        .env("RUST_LOG", "warn")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{guest}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn fibonacci_commits_n_and_the_last_two_numbers() {
    let report = execute("fibonacci", &["--u32", "1000"]);
    assert_eq!(report["public_values"], "e80300004d170000430e0000");
    assert_eq!(report["exit_code"], 0);
    assert!(report["cycles"].as_u64() < Some(50_000), "{report}");
}

#[test]
fn keccak_commits_the_hash_of_its_input() {
    let report = execute("keccak", &["--hex", "68656c6c6f"]);
    let hash = "1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8";
    assert_eq!(report["public_values"], hash);
}

#[test]
fn exit7_exits_with_7() {
    assert_eq!(execute("exit7", &[])["exit_code"], 7);
}

#[test]
fn spin_takes_as_long_as_it_is_told() {
    let cycles = |n: &str| execute("spin", &["--u32", n])["cycles"].as_u64().unwrap();
    let (few, many) = (cycles("1000"), cycles("101000"));
    assert!(many - few >= 300_000, "{few}, {many}");
}
