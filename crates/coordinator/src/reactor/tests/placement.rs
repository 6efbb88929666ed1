//! What goes where, and in which order.

use provost_proto::worker::TaskType::*;
use provost_proto::worker::WorkerType;

use super::env::{Env, p, spec};
use crate::core::Phase;
use crate::proof_spec::ProofSpec;

#[test]
fn the_worker_of_the_class_that_has_least_to_do_gets_the_task() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 20);
    env.open("small", WorkerType::Gpu, 8);
    env.open("large", WorkerType::Gpu, 12);
    env.submit(spec("p"));
    let mut workers = Vec::new();
    for _ in 0..5 {
        let task = env.create("cpu", "p", ProveShard);
        workers.push(env.worker_of(&task).unwrap());
    }
    // Of two with as much to do the smaller.
    assert_eq!(workers, ["small", "large", "small", "large", "large"]);
    let sixth = env.create("cpu", "p", ProveShard);
    assert_eq!(env.phase(&sixth), Some(Phase::Queued));
}

#[test]
fn what_does_not_fit_is_stepped_over() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 20);
    env.open("gpu", WorkerType::Gpu, 3);
    env.submit(spec("p"));
    let large = env.create("cpu", "p", ShrinkWrap);
    let small = env.create("cpu", "p", RecursionReduce);
    assert_eq!(env.phase(&large), Some(Phase::Queued));
    assert_eq!(env.worker_of(&small).unwrap(), "gpu");
}

#[test]
fn the_order_is_priority_then_fair_share_then_stage_then_age() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    for (id, priority, created_at_ms) in [("young", 0, 2), ("old", 0, 1), ("urgent", 5, 3)] {
        env.submit(ProofSpec {
            priority,
            created_at_ms,
            ..spec(id)
        });
    }
    let mut tasks = Vec::new();
    for (proof, kind) in [
        ("young", RecursionReduce),
        ("old", ProveShard),
        ("old", ProveShard),
        ("old", RecursionReduce),
        ("urgent", ProveShard),
        ("old", SetupVkey),
    ] {
        tasks.push(env.create("cpu", proof, kind));
    }
    env.said();
    env.open("gpu", WorkerType::Gpu, 100);
    let order: Vec<_> = env.runs().into_iter().map(|(_, task)| task).collect();
    // After the set-up of one proof it is the other's turn, whichever is older.
    let expected = [4, 5, 0, 3, 1, 2].map(|i: usize| tasks[i].to_string());
    assert_eq!(order, expected);
}

#[test]
fn a_priority_may_change() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    env.submit(spec("a"));
    env.submit(spec("b"));
    let first = env.create("cpu", "a", ProveShard);
    let second = env.create("cpu", "b", ProveShard);
    assert!(env.react(|r| r.priority_set(&p("b"), 7)));
    env.open("gpu", WorkerType::Gpu, 4);
    assert_eq!(env.phase(&first), Some(Phase::Queued));
    assert_eq!(env.worker_of(&second).unwrap(), "gpu");
}

#[test]
fn a_proof_runs_no_more_at_once_than_it_may_and_holds_up_no_other() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    env.open("gpu", WorkerType::Gpu, 100);
    env.submit(ProofSpec {
        parallelism: Some(2),
        ..spec("p")
    });
    env.submit(ProofSpec {
        created_at_ms: 2_000,
        ..spec("q")
    });
    let tasks: Vec<_> = (0..3).map(|_| env.create("cpu", "p", ProveShard)).collect();
    assert_eq!(env.phase(&tasks[2]), Some(Phase::Queued));
    let other = env.create("cpu", "q", ProveShard);
    assert_eq!(env.worker_of(&other).unwrap(), "gpu");
    env.complete("gpu", "p", &tasks[0]);
    assert_eq!(env.worker_of(&tasks[2]).unwrap(), "gpu");
}

#[test]
fn the_cap_leaves_root_and_execution_alone() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    env.submit(ProofSpec {
        parallelism: Some(1),
        ..spec("p")
    });
    let execute = env.create("cpu", "p", CoreExecute);
    assert_eq!(env.worker_of(&execute).unwrap(), "cpu");
}

#[test]
fn execution_goes_to_its_controllers_worker() {
    let mut env = Env::new();
    env.open("a", WorkerType::Cpu, 12);
    env.submit(spec("p"));
    env.open("b", WorkerType::Cpu, 100);
    let execute = env.create("a", "p", CoreExecute);
    assert_eq!(env.worker_of(&execute).unwrap(), "a");
}

#[test]
fn controllers_leave_room_for_an_execution() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 12);
    let roots: Vec<_> = (0..6).map(|i| env.submit(spec(&format!("p{i}")))).collect();
    let running = |env: &Env| roots.iter().filter(|r| env.worker_of(r).is_some()).count();
    assert_eq!(running(&env), 4, "4 controllers and one execution of 8");
    let executes: Vec<_> = (0..4)
        .map(|i| env.create("cpu", &format!("p{i}"), CoreExecute))
        .collect();
    let placed = executes.iter().filter(|e| env.worker_of(e).is_some());
    assert_eq!(placed.count(), 1);
    env.complete_proof("cpu", "p1");
    env.beat("cpu", &[]).unwrap();
    assert_eq!(
        running(&env),
        4 - 1,
        "what executes is no room for the execution of another"
    );
    for proof in ["p0", "p2", "p3"] {
        env.complete_proof("cpu", proof);
    }
    env.beat("cpu", &[]).unwrap();
    assert_eq!(running(&env), 2, "all that are left");
}

#[test]
fn a_wrap_needs_its_room_from_the_start() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 14);
    let mut wrap = spec("p");
    wrap.inputs[2] = "4".to_owned();
    let root = env.submit(wrap);
    assert_eq!(env.phase(&root), Some(Phase::Queued));
    env.open("more", WorkerType::Cpu, 15);
    assert_eq!(env.worker_of(&root).unwrap(), "cpu");
    let wrap = env.create("cpu", "p", Groth16Wrap);
    assert_eq!(env.worker_of(&wrap).unwrap(), "more");
}
