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
    assert!((work.gpu_seconds - 2.7).abs() < 1e-9);
    assert!((work.core_seconds - 2.0).abs() < 1e-9);
    assert!((work.core_busy - 0.9).abs() < 1e-9);
}

#[test]
fn nothing_done_is_no_time() {
    assert_eq!(work(&[]).core_busy, 0.0);
}
