#![allow(clippy::unwrap_used)]

use super::*;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use provost_crds::{FailureClass, ProofRequestSpec};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn request(mode: Mode) -> ProofRequest {
    let mut request = ProofRequest::new(
        "p",
        ProofRequestSpec {
            mode,
            ..Default::default()
        },
    );
    request.metadata.creation_timestamp = Some(Time(at(100)));
    request.metadata.generation = Some(1);
    request
}

fn step(request: &mut ProofRequest, change: Change, second: i64) {
    request.status = Some(apply(request, &[change], at(second)));
}

fn progress(tasks: &[(&str, [i32; 4])]) -> Progress {
    let tasks: BTreeMap<_, _> = tasks
        .iter()
        .map(|(name, [pending, running, succeeded, failed])| {
            let counts = TaskCounts {
                pending: *pending,
                running: *running,
                succeeded: *succeeded,
                failed: *failed,
            };
            ((*name).to_owned(), counts)
        })
        .collect();
    let done = tasks.values().map(|t| t.succeeded as u64).sum();
    let total = tasks
        .values()
        .map(|t| (t.pending + t.running + t.succeeded + t.failed) as u64)
        .sum();
    let started = tasks.values().any(|t| t.running + t.succeeded > 0);
    Progress {
        run: 0,
        tasks,
        done,
        total,
        started_at: started.then_some(103_000),
        lasted_ms: None,
        gpu_ms: 0,
        shards: None,
    }
}

fn cancelled() -> Change {
    Change::Cancelled {
        message: "cancelled: spec.cancel was set".into(),
    }
}

/// A leader's clock may be set while it runs, and another leader has another clock.
#[test]
fn how_long_a_proof_took_is_not_what_clocks_say() {
    let mut p = request(Mode::Core);
    step(&mut p, Change::Seen(at(100)), 100);
    let mut running = progress(&[("Controller", [0, 1, 0, 0])]);
    step(&mut p, Change::Progress(running.clone()), 104);
    // The clock went back by two hours.
    running.lasted_ms = Some(60_000);
    p.status = Some(apply(
        &p,
        &[Change::Progress(running), cancelled()],
        at(164 - 7200),
    ));
    let status = p.status.unwrap();
    let timings = status.timings.unwrap();
    assert_eq!(timings.prove_millis, Some(60_000));
    assert_eq!(timings.total_millis, Some(63_000));
    assert_eq!(status.duration.as_deref(), Some("1m00s"));
    assert_eq!(timings.finished_at.unwrap().0, at(164 - 7200));
}

#[test]
fn creation_is_known_in_whole_seconds_and_better_from_who_saw_it() {
    let at = |millis| Timestamp::from_millisecond(millis).unwrap();
    let created = 100_000;
    // A clock may be a little behind the API server's.
    for (seen, queue, total) in [
        (created + 970, 30, 1_030),
        (created - 40, 1_040, 2_040),
        // Another is wrong.
        (created - 7_200_000, 1_000, 2_000),
        (created + 1_000, 1_000, 2_000),
    ] {
        let mut p = request(Mode::Core);
        let running = Progress {
            started_at: Some(created + 1_000),
            ..progress(&[("Controller", [0, 1, 0, 0])])
        };
        let later = Change::Seen(at(created + 5_000));
        for change in [Change::Seen(at(seen)), later, Change::Progress(running)] {
            p.status = Some(apply(&p, &[change], at(created + 1_500)));
        }
        let json = serde_json::to_value(&p).unwrap();
        let mut p: ProofRequest = serde_json::from_value(json).unwrap();
        p.status = Some(apply(&p, &[cancelled()], at(created + 2_000)));
        let timings = p.status.unwrap().timings.unwrap();
        assert_eq!(timings.queue_millis, Some(queue), "seen at {seen}");
        assert_eq!(timings.prove_millis, Some(1_000));
        assert_eq!(timings.total_millis, Some(total));
    }
}

#[test]
fn a_proof_from_queue_to_end() {
    let mut p = request(Mode::Core);
    step(
        &mut p,
        Change::Prepared {
            program_id: "program_1".into(),
            stdin_id: "s".into(),
        },
        101,
    );
    assert_eq!(p.state(), "Pending");
    step(&mut p, Change::Queued, 101);
    step(
        &mut p,
        Change::Progress(progress(&[("Controller", [1, 0, 0, 0])])),
        102,
    );
    assert_eq!(p.state(), "Pending");
    step(
        &mut p,
        Change::Progress(progress(&[("Controller", [0, 1, 0, 0])])),
        103,
    );
    assert_eq!(p.state(), "Proving");
    let status = p.status.clone().unwrap();
    assert_eq!(status.progress.as_deref(), Some("0/1"));
    assert_eq!(status.timings.unwrap().queue_millis, Some(3000));
    let output = ProofOutput {
        artifact: "a".into(),
        size_bytes: 7,
        ..Default::default()
    };
    step(
        &mut p,
        Change::Succeeded {
            execution: None,
            proof: Some(output.clone()),
        },
        113,
    );
    let status = p.status.clone().unwrap();
    let timings = status.timings.unwrap();
    assert_eq!(
        (timings.prove_millis, timings.total_millis),
        (Some(10_000), Some(13_000))
    );
    assert_eq!(status.duration.as_deref(), Some("10.0s"));
    assert_eq!(status.proof, Some(output));
    assert_eq!((p.state(), p.succeeded()), ("Succeeded", true));
}

#[test]
fn a_terminal_status_never_changes() {
    let mut p = request(Mode::Execute);
    step(&mut p, cancelled(), 101);
    let before = p.status.clone();
    step(
        &mut p,
        Change::Succeeded {
            execution: None,
            proof: None,
        },
        102,
    );
    step(&mut p, Change::Tick, 103);
    step(&mut p, Change::Expired, 104);
    assert_eq!(p.status, before);
    assert_eq!(p.state(), "Cancelled");
}

#[test]
fn of_a_terminal_status_the_generation_is_kept_up() {
    let mut p = request(Mode::Execute);
    step(&mut p, cancelled(), 101);
    let before = p.status.clone().unwrap();
    p.metadata.generation = Some(7);
    step(&mut p, Change::Tick, 102);
    let after = p.status.unwrap();
    assert_eq!(after.observed_generation, Some(7));
    assert_eq!(after.conditions[0].observed_generation, Some(7));
    let times = |status: &ProofRequestStatus| {
        (
            status.conditions[0].last_transition_time.clone(),
            status.timings.clone(),
        )
    };
    assert_eq!(times(&after), times(&before));
}

#[test]
fn the_same_change_again_changes_nothing() {
    let mut p = request(Mode::Core);
    step(
        &mut p,
        Change::Waiting {
            reason: reasons::STORE_UNAVAILABLE,
            message: "m".into(),
        },
        101,
    );
    let before = p.status.clone();
    step(
        &mut p,
        Change::Waiting {
            reason: reasons::STORE_UNAVAILABLE,
            message: "m".into(),
        },
        109,
    );
    assert_eq!(p.status, before);
}

#[test]
fn queued_progress_leaves_the_explanation() {
    let mut p = request(Mode::Core);
    step(
        &mut p,
        Change::Waiting {
            reason: reasons::UNSCHEDULABLE,
            message: "raise memory".into(),
        },
        101,
    );
    step(
        &mut p,
        Change::Progress(progress(&[("Controller", [1, 0, 0, 0])])),
        102,
    );
    assert_eq!((p.state(), p.message()), ("Unschedulable", "raise memory"));
    step(
        &mut p,
        Change::Progress(progress(&[("Controller", [0, 1, 0, 0])])),
        103,
    );
    assert_eq!(p.state(), "Unschedulable");
    step(&mut p, Change::Schedulable, 104);
    assert_eq!(
        (p.state(), p.message()),
        ("Proving", "proving, 0/1 known tasks are done")
    );
}

#[test]
fn the_eta_waits_for_the_execution() {
    let mut p = request(Mode::Core);
    step(
        &mut p,
        Change::Progress(progress(&[
            ("CoreExecute", [0, 1, 0, 0]),
            ("ProveShard", [1, 1, 2, 0]),
        ])),
        103,
    );
    assert_eq!(p.status.as_ref().unwrap().eta_seconds, None);
    step(
        &mut p,
        Change::Progress(progress(&[
            ("CoreExecute", [0, 0, 1, 0]),
            ("ProveShard", [2, 1, 2, 0]),
        ])),
        133,
    );
    assert_eq!(p.status.as_ref().unwrap().eta_seconds, Some(30));
}

#[test]
fn a_failure_names_its_class_and_is_cut() {
    let mut p = request(Mode::Core);
    let message = "é".repeat(5000);
    let failure = Failure {
        class: FailureClass::OutOfMemory,
        task: None,
        task_type: None,
        message,
    };
    step(
        &mut p,
        Change::Failed {
            failure,
            execution: None,
        },
        101,
    );
    assert_eq!(p.state(), "OutOfMemory");
    assert_eq!(
        p.status
            .as_ref()
            .unwrap()
            .failure
            .as_ref()
            .unwrap()
            .message
            .chars()
            .count(),
        4096
    );
    assert!(p.terminal() && !p.succeeded());
}

#[test]
fn suspending_clears_what_ran() {
    let mut p = request(Mode::Core);
    step(
        &mut p,
        Change::Prepared {
            program_id: "program_1".into(),
            stdin_id: "s".into(),
        },
        101,
    );
    step(
        &mut p,
        Change::Progress(progress(&[("Controller", [0, 1, 0, 0])])),
        103,
    );
    step(&mut p, Change::Suspended { run: Some(2) }, 104);
    let status = p.status.clone().unwrap();
    assert_eq!(
        (status.progress, status.timings, status.duration),
        (None, None, None)
    );
    assert_eq!(status.program_id.as_deref(), Some("program_1"));
    assert_eq!(p.state(), "Suspended");
    let before = p.status.clone();
    step(
        &mut p,
        Change::Progress(progress(&[("Controller", [0, 1, 0, 0])])),
        105,
    );
    assert_eq!(p.status, before);
}

#[test]
fn execute_reports_its_exit_code() {
    let mut p = request(Mode::Execute);
    let execution = Execution {
        cycles: 12,
        exit_code: Some(3),
        ..Default::default()
    };
    step(
        &mut p,
        Change::Succeeded {
            execution: Some(execution),
            proof: None,
        },
        101,
    );
    assert_eq!(p.message(), "executed 12 cycles, exit code 3");
}

#[test]
fn gpu_seconds_only_grow() {
    let mut request = request(Mode::Compressed);
    let seconds = |request: &ProofRequest| request.status.as_ref().unwrap().gpu_seconds;
    let mut held = |gpu_ms, second| {
        let progress = Progress {
            gpu_ms,
            ..progress(&[("ProveShard", [0, 1, 1, 0])])
        };
        step(&mut request, Change::Progress(progress), second);
        seconds(&request)
    };
    assert_eq!(held(0, 4), None);
    assert_eq!(held(1200, 5), Some(2));
    // A leader that took over does not know of all results.
    assert_eq!(held(700, 6), Some(2));
    assert_eq!(held(3000, 7), Some(3));
}
