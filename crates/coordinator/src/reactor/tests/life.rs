//! Proofs that go well, and proofs that are ended from outside.

use std::collections::BTreeSet;

use provost_proto::link::up_message::Message as Up;
use provost_proto::worker::TaskType::*;
use provost_proto::worker::WorkerType;

use super::env::{Env, Said, p, spec, t, w};
use super::peer::create;
use crate::core::Phase;
use crate::failure::FailureClass;
use crate::proof_spec::Root;
use crate::reactor::Acknowledge;
use crate::refusal::Refusal;
use crate::state::{ProofResult, TaskChangeKind};

#[test]
fn a_proof_from_submission_to_its_outcome() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    let root = env.submit(spec("p"));
    assert_eq!(env.worker_of(&root).unwrap(), "a/execute");
    assert_eq!(env.core.proof("p").unwrap().started_at, Some(env.now));

    let vkey = env.create("a/execute", "p", SetupVkey);
    assert_eq!(env.worker_of(&vkey).unwrap(), "a/prove");
    env.complete("a/prove", "p", &vkey);
    let execute = env.create("a/execute", "p", CoreExecute);
    let marker = env.create("a/execute", "p", MarkerDeferredRecord);
    assert_eq!(env.phase(&marker), Some(Phase::Marker));
    let shard = env.create("a/execute", "p", ProveShard);
    assert_eq!(env.used("a/prove"), 4, "our weight, not the submitter's");
    // The marker is completed by a worker that never held it.
    env.complete("a/prove", "p", &marker);
    env.complete("a/prove", "p", &shard);
    env.complete("a/execute", "p", &execute);
    env.said();

    assert_eq!(
        env.complete_proof("a/execute", "p"),
        Acknowledge::WhenStored
    );
    let outcome = env.outcome().unwrap();
    assert_eq!((outcome.progress.done, outcome.progress.total), (4, 4));
    let ProofResult::Succeeded { extra_data } = outcome.result else {
        panic!("{:?}", outcome.result)
    };
    assert_eq!(extra_data, r#"{"cycles":1}"#);
    // Said again before it is stored, and after.
    assert_eq!(
        env.complete_proof("a/execute", "p"),
        Acknowledge::WhenStored
    );
    env.react(|r| r.proof_stored(&p("p")));
    assert_eq!(env.said(), [Said::Settled("p".into())]);
    assert_eq!(env.complete_proof("a/execute", "p"), Acknowledge::Now);
    // The root is told to nobody, and its room is free once its worker says that it is done.
    assert_eq!(env.used("a/execute"), 1);
    env.complete("a/execute", "p", &root);
    assert_eq!(env.used("a/execute"), 0);
    assert!(env.said().is_empty());
}

#[test]
fn the_state_hears_of_every_task_but_markers() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    env.create("a/execute", "p", MarkerDeferredRecord);
    let shard = env.create("a/execute", "p", ProveShard);
    env.complete("a/prove", "p", &shard);
    let changes: Vec<_> = env
        .out
        .changes
        .drain(..)
        .map(|change| (change.task.to_string(), change.kind))
        .collect();
    let created = |weight, root| TaskChangeKind::Created {
        weight,
        root,
        run: 0,
    };
    let assigned = |worker| TaskChangeKind::Assigned {
        worker: w(worker),
        attempt: 1,
    };
    let metadata = "{}".to_owned();
    let expected = [
        ("t1", created(1, true)),
        ("t1", assigned("a/execute")),
        ("t3", created(4, false)),
        ("t3", assigned("a/prove")),
        (
            "t3",
            TaskChangeKind::Succeeded {
                metadata,
                gpu_ms: 0,
            },
        ),
    ];
    assert_eq!(changes, expected.map(|(id, kind)| (id.to_owned(), kind)));
}

#[test]
fn the_time_on_gpus_is_added_up_over_all_runs() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    let mut prove = |said: &str| {
        let shard = env.create("a/execute", "p", ProveShard);
        let said = said.to_owned();
        let done = env.react(|r| r.task_completed(&w("a/prove"), &p("p"), &shard, said));
        done.unwrap();
        env.core.proof("p").unwrap().progress().gpu_ms
    };
    assert_eq!(prove(r#"{"gpu_ms":1200}"#), 1200);
    for nothing in ["", "{}", r#"{"gpu_ms":null}"#, r#"{"gpu_ms":-1}"#, "gpu_ms"] {
        assert_eq!(prove(nothing), 1200, "{nothing}");
    }
    assert_eq!(prove(r#"{"gpu_ms":300}"#), 1500);
    env.core.begin_again(&p("p"));
    assert_eq!(env.core.proof("p").unwrap().progress().gpu_ms, 1500);
}

#[test]
fn no_time_that_a_worker_says_is_too_long_to_be_added_up() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    for _ in 0..2 {
        let shard = env.create("a/execute", "p", ProveShard);
        let said = format!(r#"{{"gpu_ms":{}}}"#, u64::MAX);
        let done = env.react(|r| r.task_completed(&w("a/prove"), &p("p"), &shard, said));
        done.unwrap();
    }
    let week = 7 * 24 * 3_600_000;
    assert_eq!(env.core.proof("p").unwrap().progress().gpu_ms, 2 * week);
    env.core.note_pace(ProveShard, i64::MAX / 4);
    assert!(env.core.pace(ProveShard).unwrap().unsigned_abs() < 2 * week);
}

#[test]
fn who_made_tasks_of_a_proof_is_needed_until_it_ends() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    let b = env.join("b");
    env.submit(spec("p"));
    let made = |env: &mut Env| {
        let views = env.core.worker_views();
        let made = views.into_iter().filter(|view| view.made_tasks);
        made.map(|view| view.pod).collect::<BTreeSet<_>>()
    };
    assert_eq!(made(&mut env), BTreeSet::new());
    env.hear(&b, [Up::Create(create("p", 0, "c", ProveShard))]);
    assert_eq!(made(&mut env), BTreeSet::from(["b".to_owned()]));
    env.react(|r| r.proof_forgotten(&p("p")));
    assert_eq!(made(&mut env), BTreeSet::new());
}

#[test]
fn submitting_twice_changes_nothing() {
    let mut env = Env::new();
    let root = env.submit(spec("p"));
    assert_eq!(env.submit(spec("p")), root);
    assert_eq!(env.core.stats().total_tasks, 1);
    let other = crate::proof_spec::ProofSpec {
        kind: Root::Execute,
        ..spec("p")
    };
    let taken = env.react(|r| r.proof_submitted(other));
    assert_eq!(taken, Err(Refusal::IdTaken("p".into())));
}

#[test]
fn creating_a_task_twice_under_one_name_makes_one() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    let create =
        |env: &mut Env, proof| env.try_create("a/execute", proof, ProveShard, Some("mine"));
    assert_eq!(create(&mut env, "p"), Ok(t("mine")));
    assert_eq!(create(&mut env, "p"), Ok(t("mine")));
    assert_eq!(env.core.stats().total_tasks, 2);
    env.complete("a/prove", "p", &t("mine"));
    assert_eq!(
        create(&mut env, "p"),
        Ok(t("mine")),
        "also when it is final"
    );
    env.submit(spec("q"));
    assert_eq!(create(&mut env, "q"), Err(Refusal::IdTaken("mine".into())));
}

#[test]
fn results_are_final_and_late_ones_ignored() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    let shard = env.create("a/execute", "p", ProveShard);
    env.complete("a/prove", "p", &shard);
    env.complete("a/prove", "p", &shard);
    env.fail("a/prove", "p", &shard, false, None).unwrap();
    assert_eq!(env.phase(&shard), Some(Phase::Succeeded));
    assert!(env.outcome().is_none());
}

#[test]
fn a_failure_of_the_program_fails_the_proof() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    let root = env.submit(spec("p"));
    let execute = env.create("a/execute", "p", CoreExecute);
    env.said();
    let acknowledge = env.fail_proof("a/execute", "p", Some(&execute));
    assert_eq!(acknowledge, Acknowledge::WhenStored);
    // The root must stop; the one that reported the failure knows.
    let said = env.said();
    assert!(said.contains(&Said::Cancel("a/execute".into(), root.to_string())));
    assert!(!said.contains(&Said::Cancel("a/execute".into(), execute.to_string())));
    env.out.said = said;
    let failure = env.failure();
    assert_eq!(failure.class, FailureClass::ProgramFault);
    assert_eq!(failure.task, Some(execute.clone()));
    assert_eq!(failure.task_type, Some(CoreExecute));
    // What else its worker says of it is no news.
    env.fail("a/execute", "p", &execute, false, None).unwrap();
    assert_eq!(env.used("a/execute"), 1);
}

#[test]
fn only_who_works_on_a_proof_may_fail_it() {
    let mut env = Env::new();
    env.open_pod("a", 15, 15);
    env.open_pod("b", 16, 16);
    env.submit(spec("p"));
    assert_eq!(env.fail_proof("b/execute", "p", None), Acknowledge::Now);
    let other = Some(t("t99"));
    assert_eq!(
        env.fail_proof("a/execute", "p", other.as_ref()),
        Acknowledge::Now
    );
    assert!(env.outcome().is_none());
    assert_eq!(
        env.fail_proof("a/prove", "p", None),
        Acknowledge::WhenStored
    );
    assert!(env.outcome().is_some());
}

#[test]
fn cancel_stops_the_workers_and_keeps_their_room_until_they_have_stopped() {
    let mut env = Env::new();
    env.open_pod("a", 16, 4);
    let root = env.submit(spec("p"));
    let shard = env.create("a/execute", "p", ProveShard);
    let waiting = env.create("a/execute", "p", ProveShard);
    env.said();
    env.react(|r| r.proof_cancelled(&p("p"), "not wanted"))
        .unwrap();
    let said = env.said();
    assert!(said.contains(&Said::Cancel("a/execute".into(), root.to_string())));
    assert!(said.contains(&Said::Cancel("a/prove".into(), shard.to_string())));
    assert!(
        !said
            .iter()
            .any(|s| matches!(s, Said::Cancel(_, task) if *task == *waiting))
    );
    env.out.said = said;
    let outcome = env.outcome().unwrap();
    let reason = "not wanted".to_owned();
    assert_eq!(outcome.result, ProofResult::Cancelled { reason });

    // Room is made by heartbeats, not by hope.
    env.submit(spec("q"));
    let next = env.create("a/execute", "q", ProveShard);
    assert_eq!(env.phase(&next), Some(Phase::Queued));
    env.beat("a/prove", &[("p", &shard)]).unwrap();
    assert_eq!(env.phase(&next), Some(Phase::Queued));
    env.beat("a/prove", &[]).unwrap();
    assert_eq!(env.worker_of(&next).unwrap(), "a/prove");
}

#[test]
fn a_root_that_ends_without_an_outcome_is_our_fault() {
    let mut env = Env::new();
    env.open_pod("a", 16, 4);
    let root = env.submit(spec("p"));
    env.complete("a/execute", "p", &root);
    assert_eq!(env.failure().class, FailureClass::Bug);
}

#[test]
fn a_forgotten_proof_leaves_nothing() {
    let mut env = Env::new();
    env.open_pod("a", 16, 4);
    env.submit(spec("p"));
    env.create("a/execute", "p", ProveShard);
    assert_eq!(env.react(|r| r.proof_forgotten(&p("p"))), Some(0));
    assert!(env.outcome().is_none());
    assert_eq!(env.core.stats().active_tasks, 0);
    assert_eq!(env.react(|r| r.proof_forgotten(&p("p"))), None);
    let gone = env.react(|r| r.proof_completed(&w("a/execute"), &p("p"), String::new()));
    assert_eq!(gone, Err(Refusal::UnknownProof(p("p"))));
}

#[test]
fn a_proof_expires() {
    let mut env = Env::new();
    let limit = crate::proof_spec::ProofSpec {
        expires_at_ms: Some(env.now + 5_000),
        ..spec("p")
    };
    env.submit(limit);
    env.wait(4_999);
    assert!(env.outcome().is_none());
    env.wait(1);
    assert_eq!(env.failure().class, FailureClass::Timeout);
}

#[test]
fn an_ended_proof_is_remembered_for_a_while() {
    let mut env = Env::new();
    env.open_pod("a", 16, 4);
    env.submit(spec("p"));
    env.complete_proof("a/execute", "p");
    let again = env.react(|r| r.proof_submitted(spec("p")));
    assert_eq!(again, Err(Refusal::ProofEnded(p("p"))));
    env.wait(4_000_000);
    assert!(env.core.proof("p").is_some(), "its outcome is not stored");
    env.react(|r| r.proof_stored(&p("p")));
    env.wait(1);
    assert!(env.core.proof("p").is_none());
}

#[test]
fn a_proof_without_a_root_is_made_from_outside() {
    let mut env = Env::new();
    env.open("gpu", WorkerType::Gpu, 8);
    let dummy = crate::proof_spec::ProofSpec {
        kind: Root::None,
        ..spec("d")
    };
    assert_eq!(env.react(|r| r.proof_submitted(dummy)), Ok(None));
    let chunk = env.create("a tool", "d", UtilVkeyMapChunk);
    env.fail("gpu", "d", &chunk, false, None).unwrap();
    assert_eq!(env.phase(&chunk), Some(Phase::Failed));
    assert!(env.outcome().is_none(), "its maker sees to its end");
}
