//! Provers on a CPU beside such with a GPU. They are many times slower, so that a single shard there would be what its whole proof waits for: they
//! prove only while no GPU can take what there is.

use provost_proto::class_of;
use provost_proto::worker::WorkerType;

use super::{Core, Worker, serves};
use crate::ids::WorkerId;
use crate::shards::ShardSize;

impl Worker {
    /// Whether it proves, and has no GPU by its own word. Workers of the unary door need not say what they have.
    pub(super) const fn is_slow(&self) -> bool {
        matches!(self.kind, WorkerType::Gpu) && self.link.is_some() && self.device.is_none()
    }

    const fn is_gpu(&self) -> bool {
        serves(self.kind, WorkerType::Gpu) && self.device.is_some()
    }
}

impl Core {
    /// Lets slow provers take tasks, or none. A proof that GPUs cannot take, as one with shards that are too large for them, goes on where it was.
    pub(crate) fn spare_slow(&mut self) {
        let mut slow = self.workers().filter(|worker| worker.is_slow()).peekable();
        if slow.peek().is_none() {
            return;
        }
        let spare = self.gpus_suffice();
        let change = slow.filter(|worker| worker.spare != spare);
        let change: Vec<WorkerId> = change.map(|worker| worker.id.clone()).collect();
        for id in change {
            tracing::info!(worker = %id, spare, "what a prover without a GPU takes changes");
            self.update_worker(&id, |worker| worker.spare = spare);
        }
    }

    /// Whether one GPU at least can take every task of this class that there is.
    fn gpus_suffice(&self) -> bool {
        let gpus = self.workers.values();
        let mut gpus = gpus
            .filter(|worker| worker.is_gpu() && worker.is_available())
            .peekable();
        if gpus.peek().is_none() {
            return false;
        }
        let live = self.proofs.values().filter(|proof| proof.ended.is_none());
        let (mut weight, mut shards) = (0, ShardSize::Reduced);
        for proof in live {
            shards = shards.max(proof.shards.unwrap_or(ShardSize::Reduced));
            let open = self.open_tasks(proof);
            let open = open.filter(|task| class_of(task.kind) == WorkerType::Gpu);
            weight = open.map(|task| self.needed(task)).fold(weight, u32::max);
        }
        gpus.any(|gpu| gpu.max_weight >= weight && gpu.shards >= shards)
    }
}
