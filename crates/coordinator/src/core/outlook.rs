//! What may be expected to end before a worker does: an estimate, from how long tasks have taken.

use std::collections::BTreeMap;

use provost_proto::class_of;
use provost_proto::worker::TaskType;

use super::{Core, Hold, Phase, Proof, Task, Worker, serves};
use crate::Millis;
use crate::ids::TaskId;

impl Core {
    /// Whether an attempt on a worker that ends at `end` is likely to end before.
    pub(crate) fn fits(&self, id: &TaskId, hold: &Hold, end: Millis, now: Millis) -> bool {
        let left = end - now;
        if left <= 0 {
            return false;
        }
        let rest = match hold.kind {
            TaskType::Controller => match self.tasks.get(id) {
                // What is not known for sure to end in time is begun again elsewhere as soon as possible.
                Some(task) => self.rest_of_proof(task, end, now).unwrap_or(Millis::MAX),
                None => return true,
            },
            TaskType::CoreExecute if self.is_stuck(id) => Millis::MAX,
            // It may as well be tried: nothing is lost by it but what it takes.
            kind => self.rest(kind, hold.began_at, now).unwrap_or(0),
        };
        rest <= left
    }

    /// How long an attempt has still to go; 0 for one that takes longer than most, `None` if nothing is known of its type.
    fn rest(&self, kind: TaskType, began_at: Millis, now: Millis) -> Option<Millis> {
        Some((self.pace(kind)? - (now - began_at)).max(0))
    }

    /// Whether an execution waits for tasks that no worker takes.
    fn is_stuck(&self, id: &TaskId) -> bool {
        let proof = self.tasks.get(id).and_then(|t| self.proofs.get(&t.proof));
        let mut waiting = proof.into_iter().flat_map(|proof| self.waiting(proof));
        waiting.any(|task| self.slots(task.kind, task.weight) == 0)
    }

    /// How long it takes until a Controller is done that runs until all else is; `None` if that can not be told, or never happens.
    fn rest_of_proof(&self, root: &Task, end: Millis, now: Millis) -> Option<Millis> {
        let proof = self.proofs.get(&root.proof)?;
        let mut running = 0;
        let mut rest = 0;
        for task in self.open_tasks(proof) {
            let Phase::Assigned(worker) = &task.phase else {
                continue;
            };
            if task.id == root.id {
                continue;
            }
            let worker = self.workers.get(worker)?;
            let left = self.rest(task.kind, worker.holds.get(&task.id)?.began_at, now)?;
            let leaves_at = self.ends_at(worker).unwrap_or(Millis::MAX);
            if leaves_at <= end && left > leaves_at - now {
                return None;
            }
            running = running.max(left);
        }
        let mut waiting: BTreeMap<TaskType, (u64, u64)> = BTreeMap::new();
        for task in self.waiting(proof) {
            let entry = waiting
                .entry(task.kind)
                .or_insert_with(|| (0, self.slots(task.kind, task.weight)));
            entry.0 += 1;
        }
        for (kind, (count, slots)) in waiting {
            let rounds = count.div_ceil((slots > 0).then_some(slots)?);
            rest += self
                .pace(kind)?
                .saturating_mul(Millis::try_from(rounds).ok()?);
        }
        Some(
            running
                .saturating_add(rest)
                .saturating_add(self.tail(proof)?),
        )
    }

    /// How long what is not created yet takes: what puts shards together, and wraps the result.
    pub(super) fn tail(&self, proof: &Proof) -> Option<Millis> {
        let counts = |kind| proof.counts.get(&kind).copied().unwrap_or_default();
        let executed = counts(TaskType::CoreExecute).succeeded > 0;
        let mut tail = match executed {
            true => 0,
            // The last shards are yet to come.
            false => self.pace(TaskType::ProveShard)?,
        };
        let mode = proof.spec.inputs.get(2).map(String::as_str);
        if mode != Some("1") {
            let shards = counts(TaskType::ProveShard).total().max(1);
            let levels = shards.next_power_of_two().ilog2() + 1;
            tail += self.pace(TaskType::RecursionReduce)? * Millis::from(levels);
        }
        let wraps: &[TaskType] = match mode {
            Some("3") => &[TaskType::ShrinkWrap, TaskType::PlonkWrap],
            Some("4") => &[TaskType::ShrinkWrap, TaskType::Groth16Wrap],
            _ => &[],
        };
        for kind in wraps.iter().filter(|kind| counts(**kind).total() == 0) {
            tail += self.pace(*kind)?;
        }
        Some(tail)
    }

    /// The tasks of a proof that wait for a worker, or to be let go.
    pub(crate) fn waiting<'a>(&'a self, proof: &'a Proof) -> impl Iterator<Item = &'a Task> {
        self.open_tasks(proof).filter(|task| {
            matches!(
                task.phase,
                Phase::Held(_) | Phase::Queued | Phase::Delayed(_)
            )
        })
    }

    /// How many tasks of a type and weight fit on workers that stay, if those did nothing else.
    pub(super) fn slots(&self, kind: TaskType, weight: u32) -> u64 {
        let class = class_of(kind);
        let open = self
            .workers
            .values()
            .filter(|worker| serves(worker.kind, class) && worker.is_available());
        open.map(|worker| u64::from(worker.max_weight / weight.max(1)))
            .sum()
    }

    /// When the process of a worker ends, if it has said so.
    fn ends_at(&self, worker: &Worker) -> Option<Millis> {
        self.link(worker.link?)?.ends_at
    }
}
