//! How long tasks may take, and proofs may stand still.

use super::Reactor;
use crate::Millis;
use crate::config::millis;
use crate::failure::{Failure, FailureClass, task_name};
use crate::ids::{ProofId, TaskId, WorkerId};

/// A moment between two things of which the second follows from the first.
const SPARE: Millis = 500;

impl Reactor<'_> {
    /// Attempts that have taken too long are stopped, and their tasks go again. A worker that does not stop one in time is recycled.
    pub(super) fn end_late_attempts(&mut self) {
        let core = &*self.core;
        let late = |began_at: Millis, limit: Option<Millis>| {
            limit.filter(|limit| self.now - began_at >= *limit)
        };
        let held = core
            .workers()
            .flat_map(|worker| worker.holds().iter().map(|held| (&worker.id, held)));
        // What was told to stop has another limit.
        let runs = held.filter(|(_, (_, hold))| !matches!(hold.ended, Some(Some(_))));
        let late = runs.filter_map(|(worker, (task, hold))| {
            let limit = late(hold.began_at, core.time_limit(hold.kind))?;
            Some((worker.clone(), task.clone(), hold.proof.clone(), limit))
        });
        for (worker, task, proof, limit) in late.collect::<Vec<_>>() {
            self.end_late(&worker, &proof, &task, limit);
        }
    }

    fn end_late(&mut self, worker: &WorkerId, proof: &ProofId, id: &TaskId, limit: Millis) {
        self.cancel_on(worker, proof, id);
        let task = self.core.task(id);
        // An attempt besides the one that counts just ends.
        let Some(task) = task.filter(|task| task.worker() == Some(worker)) else {
            return;
        };
        let kind = task_name(task.kind);
        let message = format!("{kind} took longer than {} on {worker}", span(limit));
        // By then the worker has stopped it, or takes no more tasks.
        let stopped = self.now + millis(self.core.config().recycle_grace) + SPARE;
        let failure = Failure::new(FailureClass::Timeout, message);
        self.attempt_failed_until(id, failure, stopped);
    }

    /// Proofs in which nothing happens, and nothing is waited for that has a limit of its own, begin again.
    pub(super) fn end_standstills(&mut self) {
        let limit = millis(self.core.config().progress_limit);
        for (proof, waited) in self.core.standing_still(limit, self.now) {
            let root = self.core.proof(&proof).and_then(|p| p.root.clone());
            let kind = self.core.task(&waited).map(|task| task.kind);
            let (Some(root), Some(kind)) = (root, kind) else {
                continue;
            };
            let message = format!(
                "nothing happened for {}: the proof waits for {} {waited}",
                span(limit),
                task_name(kind)
            );
            if let Some(worker) = self.core.task(&root).and_then(|t| t.worker()).cloned() {
                self.cancel_on(&worker, &proof, &root);
            }
            self.attempt_failed(&root, Failure::new(FailureClass::Timeout, message));
        }
    }
}

/// A span of time for people.
fn span(millis: Millis) -> String {
    match millis / 1_000 {
        seconds if seconds >= 120 => format!("{} min", seconds / 60),
        seconds if seconds > 0 => format!("{seconds} s"),
        _ => format!("{millis} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn spans_are_short() {
        let all = [250, 1_500, 90_000, 1_800_000].map(span);
        assert_eq!(all, ["250 ms", "1 s", "90 s", "30 min"]);
    }
}
