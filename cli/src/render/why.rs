//! Where a proof stands and what to do about it.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use provost_crds::{FailureClass, ProofRequest, reasons};

use super::{table, time};

/// State, counts, failure, and what it waits for.
pub(crate) fn explain(proof: &ProofRequest, system: &str, now: Timestamp) -> String {
    let mut lines = Vec::new();
    let since = proof
        .succeeded_condition()
        .map(|c| time::short(time::between(c.last_transition_time.0, now)));
    let since = since
        .filter(|_| proof.terminal())
        .map(|s| format!(" {s} ago"))
        .unwrap_or_default();
    lines.push(field("State", &format!("{}{since}", proof.state())));
    if !proof.message().is_empty() {
        lines.push(field("Message", proof.message()));
    }
    let status = proof.status.clone().unwrap_or_default();
    if let Some(progress) = status.progress {
        let eta = status.eta_seconds.and_then(|s| u64::try_from(s).ok());
        let eta = eta.map(|s| {
            format!(
                ", about {} left",
                time::short(std::time::Duration::from_secs(s))
            )
        });
        lines.push(field(
            "Progress",
            &format!("{progress} tasks{}", eta.unwrap_or_default()),
        ));
    }
    for (kind, counts) in &status.tasks {
        let states = [
            (counts.pending, "pending"),
            (counts.running, "running"),
            (counts.succeeded, "succeeded"),
            (counts.failed, "failed"),
        ];
        let states: Vec<_> = states
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, state)| format!("{n} {state}"))
            .collect();
        if !states.is_empty() {
            lines.push(field("Tasks", &format!("{kind}: {}", states.join(", "))));
        }
    }
    if let Some(failure) = status.failure {
        let task = [failure.task_type, failure.task]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        if !task.is_empty() {
            lines.push(field("Failed in", &task));
        }
        if !proof.message().contains(&failure.message) {
            lines.push(field("Cause", &failure.message));
        }
    }
    lines.extend(advice(proof, system).map(|text| field("What now", &text)));
    lines.join("\n")
}

fn field(name: &str, value: &str) -> String {
    let value = value.trim_end().replace('\n', "\n           ");
    format!("{:<10} {value}", format!("{name}:"))
}

/// What the user can do, or that nothing need be done.
fn advice(proof: &ProofRequest, system: &str) -> Option<String> {
    let name = proof.metadata.name.as_deref().unwrap_or_default();
    if proof.status.is_none() {
        return Some(format!(
            "the operator has not seen it yet: is it running? `kubectl -n {system} get pods`"
        ));
    }
    let state = proof.state();
    if proof.terminal() {
        return after_the_end(state, system);
    }
    let text = match state {
        reasons::PENDING => format!(
            "no worker has taken it yet: `kubectl -n {system} get wpool` shows whether workers are ready"
        ),
        reasons::SUSPENDED => format!(
            "it starts when you say so: `kubectl patch proofrequest {name} --type=merge -p '{{\"spec\":{{\"suspend\":false}}}}'`"
        ),
        reasons::STORE_UNAVAILABLE if proof.message().contains("the store refuses") => format!(
            "the artifact store answers, and wants other keys or another bucket: whoever runs Provost has to mend the Secret provost-store in namespace {system}, or PROVOST_STORE_BUCKET of the operator; the proof goes on by itself then"
        ),
        reasons::STORE_UNAVAILABLE => format!(
            "the artifact store does not answer; the proof goes on by itself when it is back: `kubectl -n {system} get pods`"
        ),
        reasons::UNSCHEDULABLE => format!(
            "no pool has a worker that is large enough: follow the message, or see `kubectl -n {system} get wpool`"
        ),
        reasons::PROVING | reasons::EXECUTING if idle(proof) => {
            format!(
                "its tasks wait for a free worker: `kubectl get ptask` shows who works on what, `kubectl -n {system} get wpool` the pools"
            )
        }
        _ => return None,
    };
    Some(text)
}

/// What the user can do about a proof that has ended. Some names are reasons to wait and classes of failures.
fn after_the_end(state: &str, system: &str) -> Option<String> {
    match state {
        reasons::SUCCEEDED | reasons::CANCELLED => None,
        reasons::EXPIRED => {
            Some("spec.deadline passed first: submit it again with a later one".to_owned())
        }
        class => Some(of_failure(class.parse().ok()?, system)),
    }
}

/// Tasks wait and none runs.
fn idle(proof: &ProofRequest) -> bool {
    let tasks = proof.status.as_ref().map(|s| &s.tasks);
    let sum = |of: fn(&provost_crds::TaskCounts) -> i32| {
        tasks
            .into_iter()
            .flat_map(|t| t.values())
            .map(of)
            .map(i64::from)
            .sum::<i64>()
    };
    sum(|c| c.pending) > 0 && sum(|c| c.running) == 0
}

fn of_failure(class: FailureClass, system: &str) -> String {
    match class {
        FailureClass::ProgramFault => {
            "the program, its input or its limits are at fault: run it with `--mode execute` to see its exit code and cycles"
                .to_owned()
        }
        FailureClass::OutOfMemory => {
            "workers were killed at their memory limit: raise `resources.limits.memory` of the pool that the message names, then submit it again"
                .to_owned()
        }
        FailureClass::Preempted | FailureClass::NodeLost | FailureClass::Transient | FailureClass::Timeout => {
            "the cluster lost the work more often than it retries: submit it again when the cluster is calm".to_owned()
        }
        FailureClass::StoreUnavailable => {
            format!("the artifact store was away for too long: see `kubectl -n {system} get pods`, then submit it again")
        }
        FailureClass::InvalidProof | FailureClass::Bug => {
            format!("this is a fault of Provost or SP1: please report it with `kubectl -n {system} logs deploy/provost-operator`")
        }
    }
}

/// The events of the proof, the oldest first.
pub(crate) fn events(mut events: Vec<Event>, now: Timestamp) -> String {
    if events.is_empty() {
        return "Events: none kept (the API server drops them after an hour)".to_owned();
    }
    events.sort_by_key(last_seen);
    let rows: Vec<_> = events
        .iter()
        .map(|event| {
            let age = last_seen(event).map(|t| time::short(time::between(t, now)));
            let count = event
                .series
                .as_ref()
                .and_then(|s| s.count)
                .or(event.count)
                .filter(|n| *n > 1);
            let times = count.map(|n| format!(" (x{n})")).unwrap_or_default();
            vec![
                format!("{}{times}", age.unwrap_or_default()),
                event.type_.clone().unwrap_or_default(),
                event.reason.clone().unwrap_or_default(),
                event.message.clone().unwrap_or_default().replace('\n', " "),
            ]
        })
        .collect();
    format!(
        "Events:\n{}",
        table::render(&["AGE", "TYPE", "REASON", "MESSAGE"], &rows)
    )
}

/// Both event APIs: `series` and `eventTime` of the new one, `lastTimestamp` of the old one.
fn last_seen(event: &Event) -> Option<Timestamp> {
    let series = event
        .series
        .as_ref()
        .and_then(|s| s.last_observed_time.as_ref())
        .map(|t| t.0);
    series
        .or_else(|| event.last_timestamp.as_ref().map(|t| t.0))
        .or_else(|| event.event_time.as_ref().map(|t| t.0))
        .or_else(|| event.metadata.creation_timestamp.as_ref().map(|t| t.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::proof;
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T10:05:05Z".parse().unwrap()
    }

    #[test]
    fn a_running_proof_shows_its_tasks() {
        let mut running = proof("Unknown", "Proving", "12 shards");
        let status = running.status.as_mut().unwrap();
        status.progress = Some("3/10".into());
        status.eta_seconds = Some(40);
        status.tasks =
            serde_json::from_value(json!({"ProveShard": {"pending": 2, "running": 1}})).unwrap();
        assert_eq!(
            explain(&running, "provost-system", now()),
            "State:     Proving\n\
             Message:   12 shards\n\
             Progress:  3/10 tasks, about 40s left\n\
             Tasks:     ProveShard: 2 pending, 1 running"
        );
    }

    #[test]
    fn every_reason_to_wait_comes_with_a_next_step() {
        for reason in ["Pending", "Suspended", "StoreUnavailable", "Unschedulable"] {
            assert!(
                explain(&proof("Unknown", reason, ""), "s", now()).contains("What now:"),
                "{reason}"
            );
        }
        let mut starved = proof("Unknown", "Proving", "");
        starved.status.as_mut().unwrap().tasks =
            serde_json::from_value(json!({"Controller": {"pending": 1}})).unwrap();
        assert!(explain(&starved, "s", now()).contains("wait for a free worker"));
        starved.status = None;
        assert!(explain(&starved, "zone", now()).contains("kubectl -n zone get pods"));
    }

    #[test]
    fn every_class_of_failure_comes_with_a_next_step() {
        for class in FailureClass::ALL {
            let text = explain(&proof("False", class.as_str(), "m"), "s", now());
            assert!(
                text.contains("What now:") && text.contains("5m ago"),
                "{text}"
            );
            assert!(!text.contains("by itself"), "{text}");
        }
        let lost = explain(&proof("False", "StoreUnavailable", "m"), "s", now());
        assert!(lost.contains("then submit it again"), "{lost}");
        let waits = explain(&proof("Unknown", "StoreUnavailable", "m"), "s", now());
        assert!(waits.contains("goes on by itself"), "{waits}");
        let denied = "the store refuses access: status 403; tried again until it works";
        let denied = explain(&proof("Unknown", "StoreUnavailable", denied), "s", now());
        assert!(denied.contains("the Secret provost-store"), "{denied}");
        let late = explain(&proof("False", "Expired", "m"), "s", now());
        assert!(late.contains("with a later one"), "{late}");
        for reason in ["Succeeded", "Cancelled"] {
            assert!(
                !explain(&proof("True", reason, ""), "s", now()).contains("What now:"),
                "{reason}"
            );
        }
    }

    #[test]
    fn a_failure_names_its_task_once() {
        let mut failed = proof("False", "OutOfMemory", "pool small, memory limit 3Gi");
        failed.status.as_mut().unwrap().failure = serde_json::from_value(json!({
            "class": "OutOfMemory", "taskType": "ProveShard", "task": "t1", "message": "pool small, memory limit 3Gi",
        }))
        .unwrap();
        let text = explain(&failed, "s", now());
        assert!(text.contains("Failed in: ProveShard t1"), "{text}");
        assert_eq!(text.matches("memory limit 3Gi").count(), 1, "{text}");
    }

    #[test]
    fn events_are_sorted_and_counted() {
        let list: Vec<Event> = serde_json::from_value(json!([
            {"metadata": {}, "involvedObject": {}, "type": "Warning", "reason": "StoreUnavailable", "message": "b\nc",
             "eventTime": "2026-11-21T10:03:00.000000Z",
             "series": {"count": 3, "lastObservedTime": "2026-11-21T10:04:55.000000Z"}},
            {"metadata": {}, "involvedObject": {}, "type": "Normal", "reason": "Accepted", "message": "a",
             "lastTimestamp": "2026-11-21T10:02:05Z"},
        ]))
        .unwrap();
        assert_eq!(
            events(list, now()),
            "Events:\n\
             AGE        TYPE      REASON             MESSAGE\n\
             3m         Normal    Accepted           a\n\
             10s (x3)   Warning   StoreUnavailable   b c\n"
        );
        assert!(events(Vec::new(), now()).contains("none"));
    }
}
