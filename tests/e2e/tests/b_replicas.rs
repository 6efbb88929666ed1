//! Another replica takes over while a real proof runs: it goes on where it was.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use provost_e2e::{
    Manifest, NAMESPACE, SYSTEM, delete, kubectl_ok, namespace, wait_prover, wait_succeeded,
    wait_until,
};
use serde_json::Value;

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

fn wait_for(what: &str, limit: Duration, mut done: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < limit, "waited for {what} in vain");
        std::thread::sleep(Duration::from_millis(100));
    }
    started.elapsed()
}

/// A Core proof that is at a shard.
fn proving(name: &str) -> Value {
    namespace();
    wait_prover("workers");
    delete(name);
    Manifest::new(name, "fibonacci", "Core", &[1000]).apply_ok();
    wait_until(name, Duration::from_secs(120), "proving a shard", |proof| {
        proof["status"]["tasks"]["ProveShard"]["running"].as_u64() > Some(0)
    })
}

/// How often the worker began each task of the proof.
fn starts(proof: &Value) -> HashMap<String, usize> {
    let uid = proof["metadata"]["uid"].as_str().unwrap();
    let log = kubectl_ok(&[
        "-n",
        SYSTEM,
        "logs",
        "-l",
        "provost.dev/pool=workers",
        "--tail",
        "-1",
    ]);
    let mut starts = HashMap::new();
    for line in log
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

/// The proof ends, by a new leader, and no task of it was begun twice or in another run.
fn goes_on(name: &str, proof: &Value, before: &str) {
    let took = wait_for("another leader", Duration::from_secs(30), || {
        let now = leader();
        !now.is_empty() && now != before
    });
    println!("{name}: another leader after {:.1} s", took.as_secs_f32());
    wait_succeeded(name, Duration::from_secs(300));
    let starts = starts(proof);
    assert!(starts.len() >= 4, "{starts:?}");
    assert!(starts.values().all(|times| *times == 1), "{starts:?}");
    delete(name);
}

#[test]
fn a_killed_leader_loses_nothing() {
    let proof = proving("leader-killed");
    let before = leader();
    let (pod, _) = before.rsplit_once('_').unwrap();
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "delete",
        "pod",
        pod,
        "--grace-period=0",
        "--force",
    ]);
    goes_on("leader-killed", &proof, &before);
}

#[test]
fn b_a_rolling_restart_of_the_operator_loses_nothing() {
    let proof = proving("operator-restarted");
    let before = leader();
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "rollout",
        "restart",
        "deployment/provost-operator",
    ]);
    goes_on("operator-restarted", &proof, &before);
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "rollout",
        "status",
        "deployment/provost-operator",
        "--timeout=60s",
    ]);
    // Requests are taken on as before.
    Manifest::new("after-restart", "fibonacci", "Execute", &[10]).apply_ok();
    wait_succeeded("after-restart", Duration::from_secs(60));
    kubectl_ok(&["-n", NAMESPACE, "delete", "proofrequest", "after-restart"]);
}
