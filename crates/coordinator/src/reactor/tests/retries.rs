//! Failed attempts.

use provost_proto::worker::TaskStatus;
use provost_proto::worker::TaskType::*;

use super::env::{Env, Said, spec};
use crate::core::Phase;
use crate::failure::FailureClass;
use crate::ids::SubId;
use crate::proof_spec::ProofSpec;
use crate::refusal::Refusal;

#[test]
fn a_leaf_is_retried_with_growing_waits_and_then_fails_its_proof() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    let shard = env.create("a/execute", "p", ProveShard);
    let sub = SubId::from("s");
    env.react(|r| r.sub_opened(&sub, &super::env::p("p"), std::slice::from_ref(&shard), 77))
        .unwrap();
    for wait in [1_000, 2_000, 4_000] {
        env.fail("a/prove", "p", &shard, true, None).unwrap();
        assert_eq!(env.phase(&shard), Some(Phase::Delayed(env.now + wait)));
        env.wait_beating(wait);
        assert_eq!(env.worker_of(&shard).unwrap(), "a/prove");
    }
    env.said();
    env.fail("a/prove", "p", &shard, true, None).unwrap();
    let said = env.said();
    let fatal = Said::Result(
        "s".into(),
        1,
        shard.to_string(),
        TaskStatus::FailedFatal.into(),
    );
    assert!(said.contains(&fatal), "{said:?}");
    env.out.said = said;
    let failure = env.failure();
    assert_eq!(failure.class, FailureClass::Transient);
    assert_eq!(failure.message, "it broke (attempt 4, the last)");
    assert_eq!(failure.task, Some(shard));
}

#[test]
fn the_proof_says_how_often() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(ProofSpec {
        max_retries: Some(0),
        ..spec("p")
    });
    let shard = env.create("a/execute", "p", ProveShard);
    env.fail("a/prove", "p", &shard, true, None).unwrap();
    assert_eq!(env.failure().class, FailureClass::Transient);
}

#[test]
fn a_retry_avoids_the_worker_if_another_fits() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    let shard = env.create("a/execute", "p", ProveShard);
    assert_eq!(env.worker_of(&shard).unwrap(), "a/prove");
    env.open_pod("b", 9, 5);
    env.fail("a/prove", "p", &shard, true, None).unwrap();
    env.wait_beating(1_000);
    assert_eq!(env.worker_of(&shard).unwrap(), "b/prove");
}

#[test]
fn what_can_not_be_retried_fails_the_proof_at_once() {
    for (retryable, class, expected) in [
        (false, None, FailureClass::Bug),
        (
            true,
            Some(FailureClass::ProgramFault),
            FailureClass::ProgramFault,
        ),
    ] {
        let mut env = Env::new();
        env.open_pod("a", 16, 16);
        env.submit(spec("p"));
        let shard = env.create("a/execute", "p", ProveShard);
        env.fail("a/prove", "p", &shard, retryable, class).unwrap();
        assert_eq!(env.failure().class, expected);
    }
}

#[test]
fn a_proof_that_does_not_verify_is_made_once_more_whatever_the_worker_says() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    let shard = env.create("a/execute", "p", ProveShard);
    let class = Some(FailureClass::InvalidProof);
    env.fail("a/prove", "p", &shard, false, class).unwrap();
    assert!(env.outcome().is_none());
    env.wait_beating(1_000);
    let worker = env.worker_of(&shard).unwrap();
    env.fail(&worker, "p", &shard, false, class).unwrap();
    assert_eq!(env.failure().class, FailureClass::InvalidProof);
}

#[test]
fn a_failed_core_execute_begins_the_proof_again() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    let root = env.submit(spec("p"));
    let execute = env.create("a/execute", "p", CoreExecute);
    let shard = env.create("a/execute", "p", ProveShard);
    env.said();
    env.fail("a/execute", "p", &execute, true, None).unwrap();
    let said = env.said();
    assert!(said.contains(&Said::Cancel("a/execute".into(), root.to_string())));
    assert!(said.contains(&Said::Cancel("a/prove".into(), shard.to_string())));
    assert_eq!(env.core.proof("p").unwrap().run, 1);
    let next = env.root("p");
    assert_ne!(next, root);
    assert_eq!(env.phase(&next), Some(Phase::Delayed(env.now + 1_000)));

    // Whatever the old run still says is harmless.
    let over = Err(Refusal::RunOver(super::env::p("p")));
    let done = |env: &mut Env, task| {
        env.react(|r| {
            let (worker, proof) = (super::env::w("a/prove"), super::env::p("p"));
            r.task_completed(&worker, &proof, task, String::new())
        })
    };
    assert_eq!(done(&mut env, &shard), over);
    let asked = env.try_create("a/execute", "p", ProveShard, Some(&shard));
    assert_eq!(asked, Err(Refusal::RunOver(super::env::p("p"))));
    let asked = env.try_create("a/execute", "p", ProveShard, None);
    assert_eq!(asked, Err(Refusal::RunOver(super::env::p("p"))));
    env.fail_proof("a/execute", "p", Some(&root));
    assert!(env.outcome().is_none());

    env.wait_beating(1_000);
    assert_eq!(env.worker_of(&next).unwrap(), "a/execute");
    // The tally goes on over the runs.
    for _ in 0..2 {
        let execute = env.create("a/execute", "p", CoreExecute);
        env.fail("a/execute", "p", &execute, true, None).unwrap();
        env.wait_beating(5_000);
    }
    let execute = env.create("a/execute", "p", CoreExecute);
    env.said();
    env.fail("a/execute", "p", &execute, true, None).unwrap();
    let failure = env.failure();
    assert_eq!(failure.task_type, Some(CoreExecute));
    assert!(failure.message.contains("attempt 4"), "{}", failure.message);
}

#[test]
fn a_failure_from_a_worker_that_lost_the_task_says_nothing() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    let shard = env.create("a/execute", "p", ProveShard);
    env.fail("elsewhere/prove", "p", &shard, false, None)
        .unwrap();
    assert_eq!(env.worker_of(&shard).unwrap(), "a/prove");
}

#[test]
fn a_result_from_elsewhere_counts_and_stops_the_second_attempt() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    let shard = env.create("a/execute", "p", ProveShard);
    env.said();
    env.complete("elsewhere/prove", "p", &shard);
    let cancel = Said::Cancel("a/prove".into(), shard.to_string());
    assert!(env.said().contains(&cancel));
    assert_eq!(env.used("a/prove"), 4);
    env.beat("a/prove", &[]).unwrap();
    assert_eq!(env.used("a/prove"), 0);
}
