//! Who gets how much of the workers, and when what is large gets its place.

use provost_proto::worker::TaskType::*;
use provost_proto::worker::WorkerType;

use super::env::{Env, p, spec};
use crate::config::{Config, Timeouts};
use crate::core::Phase;
use crate::failure::FailureClass::{NodeLost, OutOfMemory, StoreUnavailable};
use crate::ids::TaskId;
use crate::proof_spec::ProofSpec;

fn of(requester: &str, id: &str) -> ProofSpec {
    ProofSpec {
        requester: requester.to_owned(),
        ..spec(id)
    }
}

fn running(env: &Env, tasks: &[TaskId]) -> usize {
    let with_workers = tasks.iter().filter(|task| env.worker_of(task).is_some());
    with_workers.count()
}

fn shards(env: &mut Env, proof: &str, count: usize) -> Vec<TaskId> {
    let shards = (0..count).map(|_| env.create("cpu", proof, ProveShard));
    shards.collect()
}

#[test]
fn tenants_share_fairly_and_so_do_the_proofs_of_one() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    for (tenant, id) in [("many", "a"), ("many", "b"), ("many", "c"), ("one", "d")] {
        env.submit(of(tenant, id));
    }
    let tasks = ["a", "b", "c", "d"].map(|id| shards(&mut env, id, 12));
    env.open("gpu", WorkerType::Gpu, 48);
    let counts = |env: &Env| tasks.each_ref().map(|tasks| running(env, tasks));
    assert_eq!(counts(&env), [2, 2, 2, 6]);
    // What a proof frees goes to the tenant that has least.
    env.complete("gpu", "d", &tasks[3][0]);
    assert_eq!(counts(&env), [2, 2, 2, 6]);
    env.react(|r| r.proof_cancelled(&p("d"), "not wanted"))
        .unwrap();
    assert_eq!(counts(&env), [2, 2, 2, 0], "room is free once it is left");
    env.beat("gpu", &[]).unwrap();
    assert_eq!(counts(&env), [4, 4, 4, 0]);
}

#[test]
fn priority_goes_before_share() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    env.submit(of("a", "low"));
    env.submit(ProofSpec {
        priority: 1,
        ..of("b", "high")
    });
    let low = shards(&mut env, "low", 4);
    let high = shards(&mut env, "high", 4);
    env.open("gpu", WorkerType::Gpu, 20);
    assert_eq!((running(&env, &low), running(&env, &high)), (1, 4));
}

#[test]
fn a_proof_is_urgent_before_it_expires() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    env.submit(of("a", "calm"));
    let expires_at_ms = Some(env.now + 400_000);
    env.submit(ProofSpec {
        expires_at_ms,
        ..of("b", "late")
    });
    let calm = shards(&mut env, "calm", 8);
    let late = shards(&mut env, "late", 8);
    env.wait_beating(101_000);
    env.open("gpu", WorkerType::Gpu, 20);
    assert_eq!((running(&env, &calm), running(&env, &late)), (0, 5));
}

/// A minute later, all shards that run are done. How many of each proof run then.
fn after_a_minute(env: &mut Env, of: [(&str, &[TaskId]); 2]) -> [usize; 2] {
    env.wait_beating(60_000);
    for (proof, tasks) in of {
        let run = tasks.iter().filter(|task| env.worker_of(task).is_some());
        for task in run.cloned().collect::<Vec<_>>() {
            env.now += 1;
            env.complete("gpu", proof, &task);
        }
    }
    of.map(|(_, tasks)| running(env, tasks))
}

#[test]
fn a_proof_is_urgent_once_its_rest_takes_about_as_long_as_there_is_time() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    env.open("gpu", WorkerType::Gpu, 8);
    env.submit(of("a", "calm"));
    env.submit(of("b", "late"));
    let calm = shards(&mut env, "calm", 20);
    let late = shards(&mut env, "late", 20);
    let all: [(_, &[_]); 2] = [("calm", &calm), ("late", &late)];
    env.core.note_pace(ProveShard, 60_000);
    after_a_minute(&mut env, all);
    assert_eq!(after_a_minute(&mut env, all), [1, 1]);
    // Eighteen shards of a minute, two at a time and with half as much to spare, are a quarter of an hour.
    let soon = Some(env.now + 18 * 60_000);
    assert!(env.react(|r| r.deadline_set(&p("late"), soon)));
    assert_eq!(after_a_minute(&mut env, all), [0, 2]);
    assert!(env.react(|r| r.deadline_set(&p("late"), None)));
    assert_eq!(after_a_minute(&mut env, all), [1, 1]);
    let far = Some(env.now + 100 * 60_000);
    assert!(env.react(|r| r.deadline_set(&p("late"), far)));
    assert_eq!(after_a_minute(&mut env, all), [1, 1]);
}

#[test]
fn a_large_task_gets_its_place_among_small_ones() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    env.open("gpu", WorkerType::Gpu, 6);
    env.submit(spec("p"));
    let small: Vec<_> = (0..60)
        .map(|_| env.create("cpu", "p", RecursionReduce))
        .collect();
    let large = env.create("cpu", "p", ShrinkWrap);
    let start = env.now;
    let mut done = 0;
    while env.worker_of(&large).is_none() {
        // One of the two that run is done every two seconds: each time there is room for a small one only.
        env.wait_beating(2_000);
        env.complete("gpu", "p", &small[done]);
        done += 1;
        assert!(done < 20, "it starves");
    }
    let waited = env.now - start;
    assert!((10_000..=16_000).contains(&waited), "{waited} ms");
}

#[test]
fn one_plonk_wrap_at_a_time_on_a_worker() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 200);
    env.submit(spec("p"));
    let wraps: Vec<_> = (0..2).map(|_| env.create("cpu", "p", PlonkWrap)).collect();
    assert_eq!(running(&env, &wraps), 1);
    env.complete("cpu", "p", &wraps[0]);
    assert_eq!(env.worker_of(&wraps[1]).unwrap(), "cpu");
}

#[test]
fn a_task_that_ran_out_of_memory_goes_to_a_larger_worker_once() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    env.submit(spec("p"));
    env.open("s1/prove", WorkerType::Gpu, 8);
    let shard = env.create("cpu", "p", ProveShard);
    env.open("s2/prove", WorkerType::Gpu, 8);
    env.open("large/prove", WorkerType::Gpu, 16);
    env.lose("s1", OutOfMemory);
    assert_eq!(env.worker_of(&shard).unwrap(), "large/prove");
    env.said();
    env.lose("large", OutOfMemory);
    let failure = env.failure();
    assert_eq!(failure.class, OutOfMemory);
    assert_eq!(
        failure.message,
        "ProveShard ran out of memory again on a larger worker, of 16 GiB (pool small, memory limit 3Gi): raise the pool's memory"
    );
}

#[test]
fn without_a_larger_worker_it_says_what_is_missing() {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    env.submit(spec("p"));
    env.open("small/prove", WorkerType::Gpu, 8);
    let shard = env.create("cpu", "p", ProveShard);
    env.open("large/prove", WorkerType::Gpu, 16);
    env.lose("small", OutOfMemory);
    env.lose("large", NodeLost);
    env.open("small2/prove", WorkerType::Gpu, 8);
    assert_eq!(env.phase(&shard), Some(Phase::Queued));
    assert_eq!(
        env.core.explain(&p("p")).unwrap().unschedulable().unwrap(),
        "ProveShard needs weight 9, the largest GPU worker has 8"
    );
}

#[test]
fn a_store_that_is_away_does_not_use_up_retries() {
    let mut env = Env::with(Config {
        timeouts: Timeouts {
            prove_shard: u64::MAX,
            ..Timeouts::default()
        },
        ..Config::default()
    });
    env.open_pod("a", 16, 16);
    env.submit(ProofSpec {
        max_retries: Some(0),
        ..spec("p")
    });
    let shard = env.create("a/execute", "p", ProveShard);
    for _ in 0..8 {
        env.fail("a/prove", "p", &shard, true, Some(StoreUnavailable))
            .unwrap();
        env.wait_beating(60_000);
        assert_eq!(env.worker_of(&shard).unwrap(), "a/prove");
    }
    env.wait_beating(3_600_000);
    env.said();
    env.fail("a/prove", "p", &shard, true, Some(StoreUnavailable))
        .unwrap();
    assert_eq!(env.failure().class, StoreUnavailable);
}
