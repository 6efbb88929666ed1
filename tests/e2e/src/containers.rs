//! Provost's own containers, and whether they broke.

use serde_json::Value;

use crate::{SYSTEM, kubectl, kubectl_ok};

/// What a panic leaves in the log.
const PANIC: &str = "panicked at";

/// Asserts of every pod of Provost that it is [`well`].
pub fn all_well() {
    let names = kubectl_ok(&[
        "-n",
        SYSTEM,
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/name=provost",
        "-o",
        "jsonpath={.items[*].metadata.name}",
    ]);
    for part in ["provost-operator-", "provost-store-"] {
        assert!(names.contains(part), "no pod {part}: {names}");
    }
    names.split_whitespace().for_each(well);
}

/// How many of the processes in which SP1 executes programs have ended, and nobody has asked for their end. Those of pods are seen here as all others.
pub fn runners_unreaped() -> usize {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let stats = processes.filter_map(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
        // The kernel keeps the first 15 bytes of a name.
        Some(stat.contains("(sp1-native-runn) Z "))
    });
    stats.filter(|unreaped| *unreaped).count()
}

/// Asserts that no container of a pod has panicked, and that none has failed. Tests that kill take a whole pod, and the next one counts anew.
pub fn well(pod: &str) {
    let found = kubectl_ok(&[
        "-n",
        SYSTEM,
        "get",
        "pod",
        pod,
        "--ignore-not-found",
        "-o",
        "json",
    ]);
    if found.is_empty() {
        // It went meanwhile.
        return;
    }
    let found: Value = serde_json::from_str(&found).expect("kubectl prints JSON");
    let containers = found["status"]["containerStatuses"].as_array();
    for container in containers.into_iter().flatten() {
        let name = container["name"].as_str().unwrap_or_default();
        let restarts = container["restartCount"].as_u64().unwrap_or_default();
        // A leader that loses its Lease ends, and begins anew: a busy machine may do that.
        let code = &container["lastState"]["terminated"]["exitCode"];
        assert!(
            restarts == 0 || code == 0,
            "{pod}, {name}: restarted {restarts} times, of late after {}, having said\n{}",
            container["lastState"],
            log(pod, name, &["--previous", "--tail", "20"])
        );
        let said = log(pod, name, &[]);
        // Where it was, and below that what it said.
        let lines = said.lines().skip_while(|line| !line.contains(PANIC));
        let panic: Vec<&str> = lines.take(3).collect();
        assert!(panic.is_empty(), "{pod}, {name}: {panic:#?}");
    }
}

/// The log of a container. Empty if its pod is gone by now, or it has not begun yet.
fn log(pod: &str, container: &str, more: &[&str]) -> String {
    let base = ["-n", SYSTEM, "logs", pod, "-c", container];
    let answer = kubectl(&[base.as_slice(), more].concat());
    let nothing = ["not found", "waiting to start"];
    assert!(
        answer.ok || nothing.iter().any(|why| answer.stderr.contains(why)),
        "the log of {pod}, {container}: {}",
        answer.stderr
    );
    answer.stdout
}
