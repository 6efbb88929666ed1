//! Pods that get no more tasks, by the operator's word.

use provost_proto::link::up_message::Message as Up;
use provost_proto::worker::TaskType::*;
use provost_proto::worker::WorkerType;

use super::env::{Env, spec};
use super::peer::*;
use crate::core::Phase;
use crate::term::Term;

fn cordon(env: &mut Env, pod: &str, cordoned: bool) {
    env.react(|r| r.pod_cordoned(pod, cordoned));
}

#[test]
fn what_a_cordoned_pod_has_goes_on_and_nothing_is_added() {
    let mut env = Env::new();
    env.open("driver", WorkerType::Cpu, 16);
    env.submit(spec("p"));
    env.open("a/prove", WorkerType::Gpu, 8);
    let first = env.create("driver", "p", ProveShard);
    cordon(&mut env, "a", true);
    let second = env.create("driver", "p", ProveShard);
    assert_eq!(env.phase(&second), Some(Phase::Queued));
    env.complete("a/prove", "p", &first);
    assert_eq!(env.phase(&second), Some(Phase::Queued), "there is room");
    cordon(&mut env, "a", false);
    assert_eq!(env.worker_of(&second).unwrap(), "a/prove");
}

#[test]
fn it_holds_before_the_worker_registers_and_when_it_comes_back() {
    let mut env = Env::new();
    cordon(&mut env, "a", true);
    env.open("a/all", WorkerType::All, 16);
    let root = env.submit(spec("p"));
    assert_eq!(env.phase(&root), Some(Phase::Queued));
    env.open("a/all", WorkerType::All, 16);
    assert_eq!(env.phase(&root), Some(Phase::Queued));
    cordon(&mut env, "b", true);
    env.open("c/all", WorkerType::All, 16);
    assert_eq!(env.worker_of(&root).unwrap(), "c/all");
}

#[test]
fn it_holds_in_the_next_term() {
    let mut env = Env::new();
    let peer = env.join("a");
    cordon(&mut env, "a", true);
    env.react(|r| r.lead(Term::first(7)));
    env.hear(&peer, [Up::Report(last())]);
    let root = env.submit(spec("p"));
    assert_eq!(env.phase(&root), Some(Phase::Queued));
    cordon(&mut env, "a", false);
    assert_eq!(env.worker_of(&root).unwrap(), "a/execute");
}
