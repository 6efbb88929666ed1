//! What `worker solo` says was done for a proof.

use provost_coordinator::{Millis, TaskChange, TaskChangeKind};
use provost_proto::worker::TaskType;
use provost_worker::solo::report::work;

fn change(task: &str, task_type: TaskType, at: Millis, kind: TaskChangeKind) -> TaskChange {
    TaskChange {
        proof: "p".into(),
        task: task.into(),
        task_type,
        at,
        kind,
    }
}

fn assigned() -> TaskChangeKind {
    TaskChangeKind::Assigned {
        worker: "solo-gpu/prove".into(),
        attempt: 1,
    }
}

fn done(gpu_ms: u64) -> TaskChangeKind {
    TaskChangeKind::Succeeded {
        metadata: String::new(),
        gpu_ms,
    }
}

#[test]
fn the_core_phase_lasts_from_the_first_shard_to_the_last() {
    let work = work(&[
        change("setup", TaskType::SetupVkey, 0, assigned()),
        change("setup", TaskType::SetupVkey, 500, done(100)),
        change("a", TaskType::ProveShard, 1000, assigned()),
        change("b", TaskType::ProveShard, 1100, assigned()),
        change("a", TaskType::ProveShard, 2000, done(900)),
        change("b", TaskType::ProveShard, 3000, done(900)),
        change("r", TaskType::RecursionReduce, 3100, assigned()),
        change("r", TaskType::RecursionReduce, 4000, done(800)),
    ]);
    assert_eq!(work.tasks["ProveShard"], 2);
    near(work.gpu_seconds, 2.7);
    // The first shard had the GPU from 1100 at the latest.
    near(work.core_prepare_seconds, 0.1);
    near(work.core_seconds, 1.9);
    near(work.core_busy, 1.8 / 1.9);
    // It may have been idle until then, and the phase longer.
    near(work.core_busy_at_least, 1.8 / 2.0);
}

/// A task that is given to a worker, and has succeeded.
fn ran(task: &str, kind: TaskType, from: Millis, to: Millis, gpu_ms: u64) -> [TaskChange; 2] {
    [
        change(task, kind, from, assigned()),
        change(task, kind, to, done(gpu_ms)),
    ]
}

#[test]
fn recursion_beside_the_shards_keeps_the_gpu_busy_too() {
    let tasks = [
        ran("a", TaskType::ProveShard, 0, 1000, 500),
        ran("b", TaskType::ProveShard, 0, 2000, 300),
        // It had the GPU while no shard did.
        ran("r", TaskType::RecursionReduce, 1000, 1500, 500),
        // Of this one, 300 ms at most were after the last shard.
        ran("s", TaskType::RecursionReduce, 1500, 2300, 400),
        ran("t", TaskType::RecursionReduce, 2000, 2700, 400),
    ];
    let work = work(&tasks.concat());
    near(work.core_prepare_seconds, 0.5);
    near(work.core_seconds, 1.5);
    near(work.core_busy, 1.4 / 1.5);
}

#[test]
fn a_gpu_that_waits_for_shards_is_not_busy() {
    let tasks = [
        ran("a", TaskType::ProveShard, 0, 1000, 250),
        ran("b", TaskType::ProveShard, 0, 2750, 250),
    ];
    let work = work(&tasks.concat());
    near(work.core_prepare_seconds, 0.75);
    near(work.core_busy, 0.25);
}

#[test]
fn shards_that_shared_the_gpu_do_not_shorten_the_phase() {
    // Each has it twice: for its own proof, and for the first step of the recursion. Only all of them tell when the first began.
    let tasks = [
        ran("a", TaskType::ProveShard, 0, 2300, 1300),
        ran("b", TaskType::ProveShard, 0, 2600, 1300),
    ];
    let work = work(&tasks.concat());
    near(work.core_seconds, 2.6);
    near(work.core_busy, 1.0);
}

#[test]
fn on_a_cpu_the_phase_is_all_of_the_shards_time() {
    let work = work(&ran("a", TaskType::ProveShard, 1000, 3000, 0));
    near(work.core_seconds, 2.0);
    near(work.core_busy, 0.0);
}

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-9, "{value}, not {expected}");
}

#[test]
fn nothing_done_is_no_time() {
    assert_eq!(work(&[]).core_busy, 0.0);
}
