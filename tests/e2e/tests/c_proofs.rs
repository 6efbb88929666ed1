//! Real proofs, verified by SP1's verifier against the user's ELF. Each loses a part of Provost while a shard is proven: a proof
//! takes minutes, and must not need more luck than that.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use provost_e2e::{
    Manifest, NAMESPACE, SYSTEM, all_well, delete, guest, kubectl_ok, namespace, nothing_left,
    plugin, verify, verify_by_name, wait_prover, wait_succeeded, wait_until, well, worker_log,
};
use serde_json::{Value, json};

const PROVING: Duration = Duration::from_secs(120);
const CORE_PROOF: Duration = Duration::from_secs(400);

fn leader() -> String {
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "get",
        "lease",
        "provost-operator",
        "-o",
        "jsonpath={.spec.holderIdentity}",
    ])
}

fn worker() -> String {
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

fn kill(pod: &str) {
    // Its log goes with it.
    well(pod);
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "delete",
        "pod",
        pod,
        "--grace-period=0",
        "--force",
    ]);
}

/// Applies the request and returns the proof when it is at a shard.
fn proving(request: Manifest, name: &str) -> Value {
    namespace();
    wait_prover("workers");
    delete(name);
    request.apply_ok();
    wait_until(name, PROVING, "proving a shard", |proof| {
        proof["status"]["tasks"]["ProveShard"]["running"].as_u64() > Some(0)
    })
}

/// How often they began each task of the proof.
fn starts(proof: &Value) -> HashMap<String, usize> {
    let uid = proof["metadata"]["uid"].as_str().unwrap();
    let mut starts = HashMap::new();
    for line in worker_log()
        .lines()
        .filter(|line| line.contains("task started") && line.contains(uid))
    {
        let id = line
            .split("task_id=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        *starts.entry(id.to_owned()).or_default() += 1;
    }
    starts
}

#[test]
fn a_core_proof_of_fibonacci_verifies_though_the_leader_is_killed() {
    let name = "leader-killed";
    let proof = proving(Manifest::new(name, "fibonacci", "Core", &[1000]), name);
    let before = leader();
    kill(before.rsplit_once('_').unwrap().0);
    let killed = Instant::now();
    while [String::new(), before.clone()].contains(&leader()) {
        assert!(killed.elapsed() < PROVING, "{before} still leads");
        std::thread::sleep(Duration::from_millis(100));
    }
    println!(
        "another leader after {:.1} s",
        killed.elapsed().as_secs_f32()
    );

    let done = wait_succeeded(name, CORE_PROOF);
    assert!(done["status"]["proof"]["sizeBytes"].as_u64().unwrap() > 1_000_000);
    // What `kubectl get proofs` shows of it.
    let status = &done["status"];
    let (ended, known) = status["progress"]
        .as_str()
        .unwrap()
        .split_once('/')
        .unwrap();
    assert!(
        ended == known && known.parse::<u32>().unwrap() >= 4,
        "{status}"
    );
    assert!(status["execution"]["cycles"].as_u64().unwrap() > 5_000);
    assert!(status["duration"].as_str().unwrap().ends_with('s'));
    // The worker, on a CPU, could take full ones, and the next leader goes on with that.
    assert_eq!(done["status"]["shardSize"], "Full");
    // No task was begun twice, and none in another run.
    let starts = starts(&proof);
    assert!(starts.len() >= 3, "{starts:?}");
    assert!(starts.values().all(|times| *times == 1), "{starts:?}");
    let printed = verify(name, &guest("fibonacci"));
    // n = 1000, then the last two numbers modulo 7919, each a little-endian u32.
    assert!(printed.contains("0xe80300004d170000430e0000"), "{printed}");
    let other = guest("keccak");
    let other = plugin(&["verify", name, "-n", NAMESPACE, "--elf", &other]);
    assert_eq!(other.code, Some(5), "of another program: {}", other.stderr);
    delete(name);
}

#[test]
fn b_core_proof_of_keccak_verifies_though_the_worker_is_killed() {
    let name = "worker-killed";
    let request = Manifest::new(name, "keccak", "Core", &[])
        .with("/spec/stdin/entries", json!([{ "base64": "aGVsbG8=" }]));
    proving(request, name);
    let before = worker();
    kill(&before);

    wait_succeeded(name, CORE_PROOF);
    assert_ne!(worker(), before);
    let printed = verify_by_name(name, &guest("keccak"));
    assert!(
        printed.contains("0x1c8aff95"),
        "keccak256 of \"hello\": {printed}"
    );
    delete(name);
}

#[test]
fn c_proofs_that_are_deleted_leave_nothing() {
    // What comes next takes the store's pod away, and its disk with it.
    all_well();
    nothing_left();
}
