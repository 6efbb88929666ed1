//! Mode Execute on SP1's own executor, by kubectl and by its plugin.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::{Duration, Instant};

use provost_e2e::{
    Manifest, NAMESPACE, delete, get, guest, kubectl_ok, namespace, plugin, wait_event,
    wait_succeeded,
};
use serde_json::Value;

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
    // SHA-256 of what it commits: n = 1000, then the last two numbers modulo 7919, each a little-endian u32.
    assert_eq!(
        execution["publicValuesHash"],
        "eb61af091de14d64211b5f413bbb0da5a66e3de8cec2cb754b1fc56f8b0b2189"
    );
    let row = kubectl_ok(&["-n", NAMESPACE, "get", "proofs", "execute"]);
    assert!(row.contains("Succeeded"), "{row}");
    // A request is seen at once, though its creation is noted in whole seconds.
    let queued = proof["status"]["timings"]["queueMillis"].as_u64().unwrap();
    assert!(queued < 1000, "{}", proof["status"]["timings"]);
    delete("execute");
}

#[test]
fn b_a_non_zero_exit_is_a_result_of_execute() {
    namespace();
    delete("execute-exit7");
    Manifest::new("execute-exit7", "exit7", "Execute", &[]).apply_ok();
    let proof = wait_succeeded("execute-exit7", EXECUTION);
    assert_eq!(proof["status"]["execution"]["exitCode"].as_u64(), Some(7));
    wait_event("execute-exit7", "Succeeded");
    delete("execute-exit7");
}

#[test]
fn c_submit_uploads_waits_and_tells_what_came_of_it() {
    namespace();
    delete("submitted");
    let submitted = plugin(&[
        "submit",
        &guest("fibonacci"),
        "--u32",
        "1000",
        "--mode",
        "execute",
        "--upload",
        "--ttl",
        "1h",
        "--name",
        "submitted",
        "-n",
        NAMESPACE,
        "--wait",
        "--timeout",
        "30s",
    ]);
    assert!(submitted.ok, "{}{}", submitted.stdout, submitted.stderr);
    let proof = get("submitted");
    let told = format!(
        "proofrequest.provost.dev/submitted Succeeded: {} cycles, gas {}, exit code 0, public values ",
        proof["status"]["execution"]["cycles"], proof["status"]["execution"]["gas"]
    );
    assert!(submitted.stdout.starts_with(&told), "{}", submitted.stdout);
    let spec = &proof["spec"];
    let program = spec["program"]["artifact"].as_str().unwrap_or_default();
    assert!(program.starts_with("program_"), "{spec}");
    assert!(spec["stdin"]["artifact"].is_string(), "{spec}");
    assert_eq!(spec["ttlSecondsAfterFinished"], 3600);
    delete("submitted");
}

#[test]
fn d_bench_tells_its_figures_and_deletes_its_requests() {
    namespace();
    let bench = plugin(&[
        "bench",
        "fibonacci",
        "0.02",
        "--mode",
        "execute",
        "-o",
        "json",
        "-n",
        NAMESPACE,
        "--timeout",
        "30s",
    ]);
    assert!(bench.ok, "{}{}", bench.stdout, bench.stderr);
    let report: Value = serde_json::from_str(&bench.stdout).unwrap();
    assert_eq!(report["program"], "fibonacci", "{report}");
    assert_eq!(report["mode"], "Execute", "{report}");
    assert_eq!(report["runs"].as_array().unwrap().len(), 1, "{report}");
    let run = &report["runs"][0];
    let cycles = run["cycles"].as_u64().unwrap();
    assert!((19_900..20_100).contains(&cycles), "{report}");
    let mhz = run["mhz"].as_f64().unwrap();
    let expected = cycles as f64 / run["proveSeconds"].as_f64().unwrap() / 1e6;
    assert!((mhz - expected).abs() < expected / 100.0, "{report}");
    for figure in ["queueSeconds", "proveSeconds", "totalSeconds"] {
        let measured = run[figure].as_f64();
        assert!(measured.is_some(), "{figure}: {report}");
        let median = &report["summary"][figure]["median"];
        assert_eq!(median.as_f64(), measured, "{figure}: {report}");
    }
    let deleted = Instant::now();
    loop {
        let left = kubectl_ok(&["-n", NAMESPACE, "get", "proofrequests", "-o", "name"]);
        if !left.contains("bench-fibonacci") {
            return;
        }
        assert!(deleted.elapsed() < EXECUTION, "{left}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
