//! How large the shards of a run are: chosen when it begins, by what all of its provers can take.

use provost_proto::worker::WorkerType;

use super::Core;
use crate::shards::{GpuPools, ShardSize};

impl Core {
    /// Which GPUs there will be, whatever is registered.
    pub(crate) const fn expect_gpus(&mut self, pools: GpuPools) {
        self.gpu_pools = pools;
    }

    /// The largest shards that every GPU can take, registered or still to come. Provers on a CPU count where there is none: beside GPUs they prove only
    /// what those cannot take. While nothing is known of any prover, the small ones: whoever comes can take those.
    pub(crate) fn shard_size(&self) -> ShardSize {
        let GpuPools { wanted, shards } = self.gpu_pools;
        let provers = self.workers.values().filter(|w| w.kind != WorkerType::Cpu);
        let (slow, fast): (Vec<_>, Vec<_>) = provers.partition(|worker| worker.is_slow());
        let coming = shards.filter(|_| wanted);
        let gpus = fast.into_iter().map(|worker| worker.shards).chain(coming);
        let cpus = slow.into_iter().map(|worker| worker.shards);
        let otherwise = match wanted {
            true => None,
            false => cpus.min().or(shards),
        };
        gpus.min().or(otherwise).unwrap_or(ShardSize::Reduced)
    }
}
