//! Subscriptions.

use provost_proto::worker::TaskType::*;
use provost_proto::worker::{TaskStatus, WorkerType};

use super::env::{Env, Said, p, spec, t};
use crate::ids::{SubId, TaskId};
use crate::refusal::Refusal;

fn s() -> SubId {
    "s".into()
}

fn env() -> (Env, TaskId, TaskId) {
    let mut env = Env::new();
    env.open("a", WorkerType::All, 32);
    env.submit(spec("p"));
    let first = env.create("a", "p", ProveShard);
    let second = env.create("a", "p", ProveShard);
    env.said();
    (env, first, second)
}

fn open(env: &mut Env, conn: u64, tasks: &[TaskId]) -> Result<(), Refusal> {
    env.react(|r| r.sub_opened(&s(), &p("p"), tasks, conn))
}

fn result(number: u64, task: &TaskId) -> Said {
    let status = TaskStatus::Succeeded.into();
    Said::Result("s".into(), number, task.to_string(), status)
}

/// All results that were pushed.
fn results(env: &mut Env) -> Vec<Said> {
    let said = env.said().into_iter();
    said.filter(|said| matches!(said, Said::Result(..)))
        .collect()
}

#[test]
fn results_are_pushed_until_they_are_acknowledged() {
    let (mut env, first, second) = env();
    open(&mut env, 1, std::slice::from_ref(&first)).unwrap();
    env.complete("a", "p", &first);
    env.complete("a", "p", &second);
    assert_eq!(
        results(&mut env),
        [result(1, &first)],
        "only what was asked for"
    );
    env.wait(3_999);
    assert_eq!(results(&mut env), []);
    env.wait(1);
    assert_eq!(results(&mut env), [result(1, &first)]);
    env.react(|r| r.sub_acked(&s(), "1")).unwrap();
    env.react(|r| r.sub_acked(&s(), "no number")).unwrap();
    env.wait(8_000);
    assert_eq!(results(&mut env), []);
}

#[test]
fn a_final_task_is_answered_at_once_and_again_when_asked_again() {
    let (mut env, first, _) = env();
    env.complete("a", "p", &first);
    open(&mut env, 1, std::slice::from_ref(&first)).unwrap();
    assert_eq!(results(&mut env), [result(1, &first)]);
    env.react(|r| r.sub_updated(&s(), std::slice::from_ref(&first)))
        .unwrap();
    assert_eq!(results(&mut env), [], "it is on its way");
    env.react(|r| r.sub_acked(&s(), "1")).unwrap();
    env.react(|r| r.sub_updated(&s(), std::slice::from_ref(&first)))
        .unwrap();
    assert_eq!(results(&mut env), [result(2, &first)]);
}

#[test]
fn nothing_is_lost_when_a_client_comes_back() {
    let (mut env, first, second) = env();
    open(&mut env, 1, &[first.clone(), second.clone()]).unwrap();
    env.complete("a", "p", &first);
    env.react(|r| r.sub_broken(&s(), 1));
    env.complete("a", "p", &second);
    env.said();
    open(&mut env, 2, &[]).unwrap();
    assert_eq!(results(&mut env), [result(1, &first), result(2, &second)]);
    env.react(|r| r.sub_broken(&s(), 1));
    env.wait_beating(30_000);
    assert!(
        env.core.sub("s").is_some(),
        "an old stream's end means nothing"
    );
}

#[test]
fn a_subscription_without_a_stream_ends_after_a_while() {
    let (mut env, first, _) = env();
    open(&mut env, 1, &[first]).unwrap();
    env.react(|r| r.sub_broken(&s(), 1));
    env.wait_beating(19_000);
    assert!(env.core.sub("s").is_some());
    env.wait_beating(1_000);
    assert!(env.core.sub("s").is_none());
    let update = env.react(|r| r.sub_updated(&s(), &[]));
    assert_eq!(update, Err(Refusal::UnknownSub(s())));
}

#[test]
fn a_task_that_does_not_exist_is_said_to_be_unknown() {
    let (mut env, _, _) = env();
    open(&mut env, 1, &[t("nonsense")]).unwrap();
    let said = env.said();
    assert_eq!(said, [Said::Unknown("s".into(), "nonsense".into())]);
    let elsewhere = env.react(|r| r.sub_opened(&s(), &p("other"), &[], 2));
    assert_eq!(elsewhere, Err(Refusal::UnknownProof(p("other"))));
}

#[test]
fn a_task_of_an_earlier_run_is_not() {
    let (mut env, first, _) = env();
    let execute = env.create("a", "p", CoreExecute);
    open(&mut env, 1, std::slice::from_ref(&first)).unwrap();
    env.said();
    env.fail("a", "p", &execute, true, None).unwrap();
    assert!(env.said().contains(&Said::CloseSub("s".into())));
    open(&mut env, 2, &[first]).unwrap();
    assert_eq!(env.said(), []);
}

#[test]
fn a_subscription_ends_with_its_proof() {
    let (mut env, first, _) = env();
    open(&mut env, 1, &[first]).unwrap();
    env.complete_proof("a", "p");
    assert!(env.said().contains(&Said::CloseSub("s".into())));
    let again = open(&mut env, 2, &[]);
    assert_eq!(again, Err(Refusal::ProofEnded(p("p"))));
}

#[test]
fn the_server_beats_on_a_quiet_subscription() {
    let (mut env, first, _) = env();
    open(&mut env, 1, &[first]).unwrap();
    env.wait(10_000);
    assert!(env.said().contains(&Said::SubBeat("s".into())));
}
