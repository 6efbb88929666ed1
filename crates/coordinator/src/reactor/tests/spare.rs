//! Provers without a GPU, beside such with one.

use provost_proto::worker::TaskType::*;
use provost_proto::worker::WorkerType;

use super::env::{Env, spec};
use super::peer::Peer;
use crate::failure::FailureClass;
use crate::shards::ShardSize::{self, Full, Reduced};

/// A leader with one executor.
fn leader() -> Env {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    env
}

/// A CPU that proves, and such a GPU, for a while.
fn mixed(max_weight: u32, shards: ShardSize) -> (Env, Peer, Peer) {
    let mut env = leader();
    let slow = env.prover("slow", false, 64, Full);
    let gpu = env.prover("gpu", true, max_weight, shards);
    env.pass(&[&slow, &gpu], 2_000);
    (env, slow, gpu)
}

#[test]
fn a_prover_without_a_gpu_gets_nothing_while_a_gpu_can_take_all() {
    let (mut env, slow, _) = mixed(8, Reduced);
    env.submit(spec("p"));
    assert_eq!(env.core.proof("p").unwrap().shards, Some(Reduced));
    let tasks: Vec<_> = (0..4).map(|_| env.create("cpu", "p", ProveShard)).collect();
    let on = |env: &Env, worker: &str| {
        let of = |task: &&_| env.worker_of(task).as_deref() == Some(worker);
        tasks.iter().filter(of).count()
    };
    // The others wait for the GPU, though there is room.
    assert_eq!((on(&env, "gpu/prove"), on(&env, "slow/prove")), (2, 0));
    env.lose("gpu/prove", FailureClass::NodeLost);
    env.pass(&[&slow], 10_000);
    assert_eq!(on(&env, "slow/prove"), 4);
}

#[test]
fn a_prover_that_has_a_gpu_after_all_is_one_of_those() {
    let (mut env, ..) = mixed(4, Full);
    env.submit(spec("p"));
    let tasks: Vec<_> = (0..2).map(|_| env.create("cpu", "p", ProveShard)).collect();
    assert_eq!(env.worker_of(&tasks[1]), None);
    env.prover("slow", true, 64, Full);
    assert_eq!(env.worker_of(&tasks[1]).as_deref(), Some("slow/prove"));
}

#[test]
fn what_no_gpu_can_take_goes_to_the_others() {
    let mut env = leader();
    let slow = env.prover("slow", false, 64, Full);
    // Begun when there was no GPU.
    env.submit(spec("p"));
    assert_eq!(env.core.proof("p").unwrap().shards, Some(Full));
    let gpu = env.prover("gpu", true, 8, Reduced);
    env.pass(&[&slow, &gpu], 2_000);
    let shard = env.create("cpu", "p", ProveShard);
    assert_eq!(env.worker_of(&shard).as_deref(), Some("slow/prove"));
    // A larger GPU takes these.
    let large = env.prover("large", true, 8, Full);
    env.pass(&[&slow, &gpu, &large], 2_000);
    let next: Vec<_> = (0..3).map(|_| env.create("cpu", "p", ProveShard)).collect();
    let on = next.iter().map(|task| env.worker_of(task));
    let on: Vec<_> = on.flatten().collect();
    assert_eq!(on, ["large/prove", "large/prove"]);
}

#[test]
fn a_task_that_is_too_heavy_for_the_gpus_is_not_kept_waiting() {
    let (mut env, slow, gpu) = mixed(2, Full);
    env.submit(spec("p"));
    let shard = env.create("cpu", "p", ProveShard);
    assert_eq!(env.worker_of(&shard), None);
    env.pass(&[&slow, &gpu], 2_000);
    assert_eq!(env.worker_of(&shard).as_deref(), Some("slow/prove"));
}
