//! What was done for a proof, from what the coordinator noted of its tasks. Pure.

use std::collections::BTreeMap;

use provost_coordinator::{Millis, TaskChange, TaskChangeKind, task_name};
use provost_proto::worker::TaskType;
use serde::Serialize;

/// One line of JSON for each proof.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// Start of all parts until the workers take tasks.
    pub(super) start_seconds: f64,
    /// Submitted to succeeded.
    pub(super) seconds: f64,
    pub(super) verify_seconds: f64,
    pub(super) proof_bytes: u64,
    #[serde(flatten)]
    pub(super) work: Work,
}

/// What was done.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Work {
    /// Tasks that succeeded, by type.
    pub tasks: BTreeMap<&'static str, usize>,
    /// Attempts that failed.
    pub failed: usize,
    /// How long tasks held the GPU, all together; 0 where there is none.
    pub gpu_seconds: f64,
    /// From the first shard's assignment to the last one's end.
    pub core_seconds: f64,
    /// The part of that time in which a shard held the GPU.
    pub core_busy: f64,
}

/// Adds up what was done.
pub fn work(changes: &[TaskChange]) -> Work {
    let mut work = Work::default();
    let (mut gpu_ms_of_all, mut gpu_ms_of_shards) = (0, 0);
    let mut core: Option<(Millis, Millis)> = None;
    for change in changes {
        let shard = change.task_type == TaskType::ProveShard;
        match &change.kind {
            TaskChangeKind::Assigned { .. } if shard => {
                core.get_or_insert((change.at, change.at));
            }
            TaskChangeKind::Succeeded { gpu_ms, .. } => {
                *work.tasks.entry(task_name(change.task_type)).or_default() += 1;
                gpu_ms_of_all += gpu_ms;
                if let Some((_, end)) = core.as_mut().filter(|_| shard) {
                    *end = change.at;
                    gpu_ms_of_shards += gpu_ms;
                }
            }
            TaskChangeKind::Requeued { .. } => work.failed += 1,
            _ => {}
        }
    }
    let seconds = |ms: u64| ms as f64 / 1000.0;
    work.gpu_seconds = seconds(gpu_ms_of_all);
    if let Some((begin, end)) = core {
        work.core_seconds = seconds(end.abs_diff(begin));
        work.core_busy = seconds(gpu_ms_of_shards) / work.core_seconds.max(0.001);
    }
    work
}
