//! What was done for a proof, from what the coordinator noted of its tasks. Pure.

use std::collections::{BTreeMap, HashMap};

use provost_coordinator::{Millis, TaskChange, TaskChangeKind, TaskId, task_name};
use provost_proto::worker::TaskType;
use serde::Serialize;

/// What was done.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Work {
    /// Tasks that succeeded, by type.
    pub tasks: BTreeMap<&'static str, usize>,
    /// Attempts that failed.
    pub failed: usize,
    /// How long tasks held the GPU, all together; 0 where there is none.
    pub gpu_seconds: f64,
    /// From the first shard's assignment until the core phase began: its record was fetched, its trace generated.
    pub core_prepare_seconds: f64,
    /// The core phase: from when a shard first had the GPU until the last shard ended.
    pub core_seconds: f64,
    /// The part of that time in which tasks held the GPU: shards, and the recursion that goes on beside them.
    pub core_busy: f64,
    /// The same of the time since the first shard's assignment. What is true lies between the two: how long a task held the GPU is known,
    /// not when, and the phase's beginning is the latest that it can be.
    pub core_busy_at_least: f64,
}

/// A task that succeeded.
struct Ran {
    shard: bool,
    began: Millis,
    ended: Millis,
    /// Held the GPU for so long, in milliseconds.
    held: Millis,
}

/// Adds up what was done.
pub fn work(changes: &[TaskChange]) -> Work {
    let mut work = Work::default();
    let mut assigned: HashMap<&TaskId, Millis> = HashMap::new();
    let mut ran = Vec::new();
    for change in changes {
        match &change.kind {
            TaskChangeKind::Assigned { .. } => {
                assigned.insert(&change.task, change.at);
            }
            TaskChangeKind::Succeeded { gpu_ms, .. } => {
                *work.tasks.entry(task_name(change.task_type)).or_default() += 1;
                ran.push(Ran {
                    shard: change.task_type == TaskType::ProveShard,
                    began: assigned.get(&change.task).copied().unwrap_or(change.at),
                    ended: change.at,
                    held: Millis::try_from(*gpu_ms).unwrap_or(Millis::MAX),
                });
            }
            TaskChangeKind::Requeued { .. } => work.failed += 1,
            _ => {}
        }
    }
    work.gpu_seconds = seconds(ran.iter().map(|task| task.held).sum());
    core_phase(&mut work, ran);
    work
}

fn seconds(ms: Millis) -> f64 {
    ms as f64 / 1000.0
}

/// The phase begins when the first shard has the GPU. Workers say how long a task held it, not when; but it is held by one task at a time, so that whatever has been held
/// by some moment bounds the beginning: this takes the latest that the bounds allow. What began in the phase and ended after it counts as having held the GPU at its very end.
fn core_phase(work: &mut Work, ran: Vec<Ran>) {
    let shards = || ran.iter().filter(|task| task.shard);
    let Some(first) = shards().map(|task| task.began).min() else {
        return;
    };
    let end = shards().map(|task| task.ended).max().unwrap_or(first);
    let mut during: Vec<_> = ran.iter().filter(|task| task.began >= first).collect();
    during.sort_by_key(|task| task.ended);
    let (mut begin, mut held) = (None, 0);
    for task in during.iter().filter(|task| task.ended <= end) {
        held += task.held;
        if held > 0 {
            let bound = task.ended - held;
            begin = Some(begin.map_or(bound, |begin: Millis| begin.min(bound)));
        }
    }
    let begin = begin.unwrap_or(first).max(first);
    let after = during
        .iter()
        .filter(|task| task.began < end && task.ended > end);
    held += after
        .map(|task| (task.held - (task.ended - end)).max(0))
        .sum::<Millis>();
    work.core_prepare_seconds = seconds(begin - first);
    work.core_seconds = seconds(end - begin);
    let busy = |since: Millis| (held as f64 / (end - since).max(1) as f64).min(1.0);
    work.core_busy = busy(begin);
    work.core_busy_at_least = busy(first);
}
