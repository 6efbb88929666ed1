//! Helpers for the end-to-end tests. They use `kubectl`, `kubectl proof` and `provost-verify` as a user does, so that
//! what is tested is what a user sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod containers;
mod manifest;
mod store;
mod tools;

use std::time::{Duration, Instant};

use serde_json::Value;

pub use containers::{all_well, runners_unreaped, well};
pub use manifest::{Manifest, guest};
pub use store::nothing_left;
pub use tools::{Answer, Watch, kubectl, kubectl_ok, plugin, run, verify, verify_by_name};

/// The namespace of all requests that the tests make.
pub const NAMESPACE: &str = "provost-e2e";

/// Where Provost itself runs.
pub const SYSTEM: &str = "provost-system";

/// Makes the tests' namespace, if it is not there.
pub fn namespace() {
    let answer = kubectl(&["create", "namespace", NAMESPACE]);
    assert!(
        answer.ok || answer.stderr.contains("AlreadyExists"),
        "{}",
        answer.stderr
    );
}

/// A ProofRequest, as the API server has it.
pub fn get(name: &str) -> Value {
    let text = kubectl_ok(&["-n", NAMESPACE, "get", "proofrequest", name, "-o", "json"]);
    serde_json::from_str(&text).expect("kubectl prints JSON")
}

/// (status, reason, message) of the condition Succeeded; empty before there is one.
pub fn succeeded(proof: &Value) -> (String, String, String) {
    let conditions = proof["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let Some(condition) = conditions
        .iter()
        .find(|condition| condition["type"] == "Succeeded")
    else {
        return Default::default();
    };
    let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"), text("message"))
}

/// Waits until the next look: shortly at first, and longer the longer it takes. Each look is a process, which takes from what it waits for.
fn pause(since: Instant) {
    let longest = Duration::from_secs(1);
    let shortest = Duration::from_millis(100);
    std::thread::sleep((since.elapsed() / 10).clamp(shortest, longest));
}

/// Polls until `done` likes the request; panics with its last state when the time is up.
pub fn wait_until(name: &str, limit: Duration, what: &str, done: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let proof = get(name);
        if done(&proof) {
            return proof;
        }
        assert!(
            started.elapsed() < limit,
            "{name}: not {what} within {limit:?}: {}",
            serde_json::to_string_pretty(&proof["status"]).unwrap()
        );
        pause(started);
    }
}

/// Waits for a terminal condition.
pub fn wait_terminal(name: &str, limit: Duration) -> Value {
    wait_until(name, limit, "terminal", |proof| {
        let (status, ..) = succeeded(proof);
        status == "True" || status == "False"
    })
}

/// Waits for success; panics with the reason of a failure.
pub fn wait_succeeded(name: &str, limit: Duration) -> Value {
    let proof = wait_terminal(name, limit);
    let (status, reason, message) = succeeded(&proof);
    assert_eq!(status, "True", "{name}: {reason}: {message}");
    proof
}

/// Waits for a failure with `reason` and answers its message.
pub fn wait_failed(name: &str, limit: Duration, reason: &str) -> String {
    let proof = wait_terminal(name, limit);
    let (status, got, message) = succeeded(&proof);
    assert_eq!(
        (status.as_str(), got.as_str()),
        ("False", reason),
        "{name}: {message}"
    );
    message
}

/// Waits for an event with `reason` about this very request: one of its name may have had another. Events follow the status they tell of.
pub fn wait_event(name: &str, reason: &str) {
    let uid = get(name)["metadata"]["uid"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let about = format!("involvedObject.uid={uid}");
    let reasons = r#"jsonpath={range .items[*]}{.reason}{"\n"}{end}"#;
    let started = Instant::now();
    loop {
        let found = kubectl_ok(&[
            "-n",
            NAMESPACE,
            "get",
            "events",
            "--field-selector",
            &about,
            "-o",
            reasons,
        ]);
        if found.lines().any(|found| found == reason) {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{name}: no event {reason}, but {found:?}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Deletes a request and waits until its finalizer has run.
pub fn delete(name: &str) {
    kubectl_ok(&[
        "-n",
        NAMESPACE,
        "delete",
        "proofrequest",
        name,
        "--ignore-not-found",
        "--wait",
        "--timeout=60s",
    ]);
}

/// Deletes a request whose worker may take its time to let go: that nothing is left is looked at in the end.
pub fn delete_later(name: &str) {
    kubectl_ok(&[
        "-n",
        NAMESPACE,
        "delete",
        "proofrequest",
        name,
        "--wait=false",
    ]);
}

/// Roles that take tasks in a pool, as `kubectl get wpool` shows them.
pub fn roles(pool: &str) -> String {
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "get",
        "workerpool",
        pool,
        "-o",
        "jsonpath={.status.roles}",
    ])
}

/// What the workers of the default pool that are there now have said.
pub fn worker_log() -> String {
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "logs",
        "-l",
        "provost.dev/pool=workers",
        "--tail",
        "-1",
    ])
}

/// Waits until a pool has a worker whose proving engine is built.
pub fn wait_prover(pool: &str) {
    let started = Instant::now();
    while !roles(pool).contains("prove 1") {
        assert!(
            started.elapsed() < Duration::from_secs(240),
            "pool {pool}: no prover; roles: {}",
            roles(pool)
        );
        pause(started);
    }
}

/// Sets the size of a pool and waits until as many pods are ready.
pub fn scale(pool: &str, replicas: u32) {
    let replicas = replicas.to_string();
    kubectl_ok(&[
        "-n",
        SYSTEM,
        "scale",
        "workerpool",
        pool,
        "--replicas",
        &replicas,
    ]);
    let path = "jsonpath={.status.readyReplicas} {.status.replicas}";
    let started = Instant::now();
    loop {
        let text = kubectl_ok(&["-n", SYSTEM, "get", "workerpool", pool, "-o", path]);
        let mut numbers = text
            .split(' ')
            .map(|number| if number.is_empty() { "0" } else { number });
        if numbers.next() == Some(&replicas) && numbers.next() == Some(&replicas) {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "pool {pool}: {text:?}, wanted {replicas}"
        );
        pause(started);
    }
}
