//! Faults: of the program, of the user's mind, of the store and of the workers.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::{Duration, Instant};

use provost_e2e::{
    Manifest, NAMESPACE, SYSTEM, Watch, delete, delete_later, get, kubectl_ok, namespace, plugin,
    roles, run, runners_unreaped, scale, succeeded, wait_event, wait_failed, wait_prover,
    wait_succeeded, wait_until, worker_log,
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);
/// Steps of the program `spin` that take some seconds.
const LONG: u32 = 100_000_000;

fn worker_pods() -> String {
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "get",
        "pods",
        "-l",
        "provost.dev/pool=workers",
        "-o",
        "jsonpath={.items[*].metadata.name}",
    ])
}

fn delete_pool(name: &str) {
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "delete",
        "workerpool",
        name,
        "--wait",
        "--timeout=60s",
    ]);
}

#[test]
fn a_cycle_limit_exceeded_is_a_program_fault() {
    namespace();
    delete("cycle-limit");
    Manifest::new("cycle-limit", "spin", "Execute", &[1_000_000])
        .with("/spec/limits", json!({ "cycles": 100_000 }))
        .apply_ok();
    let message = wait_failed("cycle-limit", SOON, "ProgramFault");
    assert!(
        message.contains("100000") && message.contains("spec.limits.cycles"),
        "{message}"
    );
    wait_event("cycle-limit", "ProgramFault");
    delete("cycle-limit");
    // SP1 has killed what executed it, and asks for that no more: the next execution does.
    Manifest::new("cycle-limit-next", "fibonacci", "Execute", &[10]).apply_ok();
    wait_succeeded("cycle-limit-next", SOON);
    assert_eq!(runners_unreaped(), 0);
    delete("cycle-limit-next");
}

#[test]
fn a_cycle_limit_exceeded_ends_a_proof_before_its_first_shard() {
    namespace();
    wait_prover("workers");
    delete("cycle-limit-core");
    Manifest::new("cycle-limit-core", "spin", "Core", &[1_000_000])
        .with("/spec/limits", json!({ "cycles": 100_000 }))
        .apply_ok();
    let limit = Duration::from_secs(120);
    let message = wait_failed("cycle-limit-core", limit, "ProgramFault");
    assert!(
        message.contains("100000") && message.contains("spec.limits.cycles"),
        "{message}"
    );
    let proof = get("cycle-limit-core");
    let status = &proof["status"];
    assert_eq!(status["failure"]["taskType"], "CoreExecute", "{status}");
    assert!(status["tasks"]["ProveShard"].is_null(), "{status}");
    // The counts may be a second old; the worker's log is not.
    let uid = proof["metadata"]["uid"].as_str().unwrap();
    let log = worker_log();
    let started = |kind: &str| {
        log.lines()
            .any(|line| line.contains("task started") && line.contains(uid) && line.contains(kind))
    };
    assert!(started("CORE_EXECUTE"));
    assert!(!started("PROVE_SHARD"));
    wait_event("cycle-limit-core", "ProgramFault");
    delete_later("cycle-limit-core");
}

#[test]
fn b_a_program_that_exits_non_zero_cannot_be_proven() {
    namespace();
    wait_prover("workers");
    delete("exit7");
    Manifest::new("exit7", "exit7", "Core", &[]).apply_ok();
    let message = wait_failed("exit7", Duration::from_secs(120), "ProgramFault");
    assert!(
        message.contains("exit code: 7") || message.contains("exit code 7"),
        "{message}"
    );
    wait_event("exit7", "ProgramFault");
    // Until the worker, which cannot stop its shard, is on its way out: the next test is not to begin with it.
    delete("exit7");
}

#[test]
fn c_cancel_while_running_takes_two_seconds_and_recycles_the_busy_worker() {
    namespace();
    wait_prover("workers");
    delete("cancelled");
    Manifest::new("cancelled", "fibonacci", "Core", &[1000]).apply_ok();
    wait_until(
        "cancelled",
        Duration::from_secs(120),
        "proving a shard",
        |proof| {
            proof["status"]["tasks"].as_object().is_some_and(|tasks| {
                tasks.iter().any(|(kind, counts)| {
                    kind.contains("Shard") && counts["running"].as_u64() > Some(0)
                })
            })
        },
    );
    let waited = plugin(&["wait", "cancelled", "-n", NAMESPACE, "--timeout", "1s"]);
    assert_eq!(waited.code, Some(6), "{}", waited.stderr);
    let before = worker_pods();
    let started = Instant::now();
    let cancel = plugin(&["cancel", "cancelled", "-n", NAMESPACE]);
    assert!(cancel.ok, "{}", cancel.stderr);
    wait_failed("cancelled", SOON, "Cancelled");
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "cancelled after {:?}",
        started.elapsed()
    );
    let started = Instant::now();
    while worker_pods() == before {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{before} still runs"
        );
        std::thread::sleep(Duration::from_millis(300));
    }
    wait_event("cancelled", "Cancelled");
    delete_later("cancelled");
}

#[test]
fn d_a_store_that_is_down_delays_and_loses_nothing() {
    namespace();
    delete("store-down");
    // Its disk goes with it: c_proofs has looked at what real proofs leave there.
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "scale",
        "statefulset",
        "provost-store",
        "--replicas",
        "0",
    ]);
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "wait",
        "--for=delete",
        "pod/provost-store-0",
        "--timeout=60s",
    ]);
    Manifest::new("store-down", "fibonacci", "Execute", &[10]).apply_ok();
    let proof = wait_until("store-down", SOON, "waiting for the store", |proof| {
        succeeded(proof).1 == "StoreUnavailable"
    });
    assert_eq!(succeeded(&proof).0, "Unknown");
    wait_event("store-down", "StoreUnavailable");
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "scale",
        "statefulset",
        "provost-store",
        "--replicas",
        "1",
    ]);
    wait_succeeded("store-down", Duration::from_secs(120));
    delete("store-down");
}

#[test]
fn e_a_worker_that_is_told_to_go_ends_its_task_first() {
    namespace();
    delete("drained");
    Manifest::new("drained", "spin", "Execute", &[LONG]).apply_ok();
    wait_until("drained", SOON, "executing", |proof| {
        proof["status"]["tasks"]["ExecuteOnly"]["running"].as_u64() > Some(0)
    });
    let pod = worker_pods();
    let path = "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}{\"\\n\"}";
    let watch = Watch::start(&["-n", SYSTEM, "get", "pod", &pod, "-w", "-o", path]);
    scale("workers", 0);
    let (state, reason, _) = succeeded(&get("drained"));
    assert_eq!(state, "Unknown", "{reason}: it was told to go too late");
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "wait",
        "--for=delete",
        &format!("pod/{pod}"),
        "--timeout=90s",
    ]);
    let (codes, wrong) = watch.end();
    assert!(
        codes.lines().any(|code| code == "0"),
        "{pod}: {codes:?} {wrong}"
    );
    // There was nobody else who could have executed it.
    wait_succeeded("drained", SOON);
    delete("drained");
}

#[test]
fn f_a_pool_of_class_cpu_executes_and_has_no_prover() {
    namespace();
    delete("executed");
    scale("workers", 0);
    let pool = json!({
        "apiVersion": "provost.dev/v1alpha1",
        "kind": "WorkerPool",
        "metadata": { "name": "executors", "namespace": SYSTEM },
        "spec": { "class": "CPU", "replicas": 1, "resources": { "limits": { "memory": "6Gi" } } },
    });
    assert!(run("kubectl", &["apply", "-f", "-"], &pool.to_string()).ok);
    Manifest::new("executed", "fibonacci", "Execute", &[1000]).apply_ok();
    wait_succeeded("executed", SOON);
    assert_eq!(roles("executors"), "execute 1");
    delete_pool("executors");
    delete("executed");
}

#[test]
fn g_a_worker_without_enough_memory_fails_the_proof_after_three_kills() {
    namespace();
    delete("out-of-memory");
    scale("workers", 0);
    // The engine alone needs 7 GB: these pods are killed while they build it, with the Controller running in them.
    let pool = json!({
        "apiVersion": "provost.dev/v1alpha1",
        "kind": "WorkerPool",
        "metadata": { "name": "small", "namespace": SYSTEM },
        "spec": { "class": "All", "replicas": 1, "capacity": 13, "resources": { "limits": { "memory": "1Gi" } } },
    });
    assert!(run("kubectl", &["apply", "-f", "-"], &pool.to_string()).ok);
    Manifest::new("out-of-memory", "fibonacci", "Core", &[1000]).apply_ok();
    let message = wait_failed("out-of-memory", Duration::from_secs(300), "OutOfMemory");
    delete_pool("small");
    scale("workers", 1);
    assert!(
        message.contains("small") && message.contains("1Gi") && message.contains("3 workers"),
        "{message}"
    );
    let failure = get("out-of-memory")["status"]["failure"].clone();
    assert_eq!(failure["class"], "OutOfMemory", "{failure}");
    wait_event("out-of-memory", "OutOfMemory");
    delete("out-of-memory");
}
