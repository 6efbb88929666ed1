//! Tasks that are to be run again because a person says so.

use provost_proto::worker::TaskType::*;
use provost_proto::worker::WorkerType;

use super::env::{Env, Said, spec};
use crate::core::Phase;
use crate::events::Recall;
use crate::failure::FailureClass;
use crate::ids::TaskId;
use crate::state::TaskChangeKind;

fn recall(env: &mut Env, task: &TaskId) -> Recall {
    env.react(|r| r.task_recalled(task))
}

#[test]
fn a_child_is_stopped_and_goes_elsewhere_without_a_failed_attempt() {
    let mut env = Env::new();
    env.open("driver", WorkerType::Cpu, 16);
    env.submit(spec("p"));
    env.open("a/prove", WorkerType::Gpu, 8);
    let shard = env.create("driver", "p", ProveShard);
    env.open("b/prove", WorkerType::Gpu, 8);
    env.said();
    let before = env.core.task(&shard).unwrap().tally.clone();
    assert_eq!(recall(&mut env, &shard), Recall::Done);
    let said = env.said();
    let id = shard.to_string();
    assert!(said.contains(&Said::Cancel("a/prove".into(), id.clone())));
    assert!(said.contains(&Said::Run("b/prove".into(), id)));
    assert_eq!(env.core.task(&shard).unwrap().tally, before);
    let kinds = env.out.changes.iter().map(|change| &change.kind);
    assert_eq!(kinds.filter(|k| **k == TaskChangeKind::Recalled).count(), 1);
    // Its old room is taken until the worker has stopped.
    assert!(env.used("a/prove") > 0);
    env.beat("a/prove", &[]).unwrap();
    assert_eq!(env.used("a/prove"), 0);
}

#[test]
fn with_one_worker_it_goes_back_there() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    let shard = env.create("a/execute", "p", ProveShard);
    assert_eq!(recall(&mut env, &shard), Recall::Done);
    assert_eq!(env.worker_of(&shard).unwrap(), "a/prove");
    env.complete("a/prove", "p", &shard);
    assert_eq!(recall(&mut env, &shard), Recall::Unneeded);
}

#[test]
fn a_root_and_what_belongs_to_it_begin_the_next_run() {
    for recalled in [Controller, CoreExecute] {
        let mut env = Env::new();
        env.open_pod("a", 16, 16);
        let root = env.submit(spec("p"));
        let execute = env.create("a/execute", "p", CoreExecute);
        let shard = env.create("a/execute", "p", ProveShard);
        let task = if recalled == Controller {
            &root
        } else {
            &execute
        };
        assert_eq!(recall(&mut env, task), Recall::Done);
        assert_eq!(env.core.proof("p").unwrap().run, 1);
        assert_ne!(env.root("p"), root);
        assert_eq!(env.phase(&shard), None);
        assert_eq!(recall(&mut env, &root), Recall::Unneeded);
    }
}

#[test]
fn a_root_that_waits_is_stored_anew() {
    let mut env = Env::new();
    let root = env.submit(spec("p"));
    assert_eq!(recall(&mut env, &root), Recall::Done);
    assert_ne!(env.root("p"), root);
    assert_eq!(env.phase(&env.root("p")), Some(Phase::Queued));
}

#[test]
fn a_task_that_waits_out_a_failure_need_not_any_more() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    let shard = env.create("a/execute", "p", ProveShard);
    env.fail("a/prove", "p", &shard, true, Some(FailureClass::Transient))
        .unwrap();
    assert!(matches!(env.phase(&shard), Some(Phase::Delayed(_))));
    assert_eq!(recall(&mut env, &shard), Recall::Done);
    assert_eq!(env.worker_of(&shard).unwrap(), "a/prove");
    assert_eq!(recall(&mut env, &"nobody's".into()), Recall::Unneeded);
}
