//! Why tasks wait.

use provost_proto::worker::TaskType::*;
use provost_proto::worker::WorkerType;

use super::env::{Env, p, spec, w};
use crate::explain::WaitReason;
use crate::failure::FailureClass;
use crate::proof_spec::ProofSpec;

fn reasons(env: &Env) -> Vec<WaitReason> {
    let explanation = env.core.explain(&p("p")).unwrap();
    explanation.waits.into_iter().map(|w| w.reason).collect()
}

fn unschedulable(env: &Env) -> Option<String> {
    env.core.explain(&p("p")).unwrap().unschedulable()
}

#[test]
fn no_worker_at_all() {
    let mut env = Env::new();
    env.submit(spec("p"));
    let message = "Controller needs a worker of class CPU, and none is registered";
    assert_eq!(unschedulable(&env).unwrap(), message);
    assert_eq!(env.core.explain(&p("q")), None);
}

#[test]
fn no_worker_that_is_large_enough() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 24);
    env.open("gpu", WorkerType::Gpu, 3);
    env.submit(spec("p"));
    env.create("cpu", "p", PlonkWrap);
    env.create("cpu", "p", ProveShard);
    env.create("cpu", "p", ProveShard);
    assert_eq!(
        unschedulable(&env).unwrap(),
        "ProveShard needs weight 4, the largest GPU worker has 3; \
         PlonkWrap needs weight 60, the largest CPU worker has 24"
    );
    assert_eq!(env.core.explain(&p("p")).unwrap().waits[0].count, 2);
}

#[test]
fn no_worker_that_could_execute_beside_the_controller() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 8);
    env.submit(spec("p"));
    assert_eq!(
        unschedulable(&env).unwrap(),
        "Controller needs weight 1 and 8 more for what it starts, the largest CPU worker has 8"
    );
    env.open("another", WorkerType::Cpu, 8);
    assert_eq!(reasons(&env), []);
}

#[test]
fn waiting_helps() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 9);
    env.open("gpu", WorkerType::Gpu, 8);
    env.submit(ProofSpec {
        parallelism: Some(1),
        ..spec("p")
    });
    let shard = env.create("cpu", "p", ProveShard);
    assert_eq!(reasons(&env), []);
    env.create("cpu", "p", RecursionReduce);
    assert_eq!(reasons(&env), [WaitReason::Parallelism]);
    let class = Some(FailureClass::Transient);
    env.fail("gpu", "p", &shard, true, class).unwrap();
    let until = env.now + 1_000;
    assert_eq!(reasons(&env), [WaitReason::BackOff { until }]);
    env.react(|r| r.worker_closed(&w("gpu"))).unwrap();
    env.wait_beating(1_000);
    let explanation = env.core.explain(&p("p")).unwrap();
    assert_eq!(explanation.unschedulable(), None);
    env.create("cpu", "p", CoreExecute);
    env.create("cpu", "p", CoreExecute);
    assert!(reasons(&env).contains(&WaitReason::Busy));
}
