//! How the state looks from outside.

use std::collections::BTreeSet;

use provost_proto::class_of;
use provost_proto::worker::{TaskType, WorkerType};

use super::{Core, LinkId, Worker, serves};
use crate::events::{ClassStats, Stats, WorkerView};
use crate::state::Counts;

impl Core {
    pub(crate) fn worker_views(&self) -> Vec<WorkerView> {
        let live = self.proofs.values().filter(|proof| proof.ended.is_none());
        let makers: BTreeSet<LinkId> = live.flat_map(|proof| &proof.makers).copied().collect();
        let kept_by = |worker: &Worker| {
            let link = self.link_of(worker.id.pod());
            link.is_some_and(|link| makers.contains(&link))
        };
        let workers = self.workers.values();
        workers
            .map(|worker| view(worker, kept_by(worker)))
            .collect()
    }

    /// Whether a worker is at a task of the proof, or has not let go yet of one that it was told to stop.
    pub(crate) fn is_worked_on(&self, proof: &str) -> bool {
        let mut holds = self
            .workers
            .values()
            .flat_map(|worker| worker.holds().values());
        holds.any(|hold| *hold.proof == *proof)
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats {
            total_tasks: self.total_tasks,
            active_proofs: count(self.proofs.values().filter(|p| p.ended.is_none())),
            subscriptions: count(self.subs.values()),
            ..Stats::default()
        };
        for (class, slot) in [
            (WorkerType::Cpu, &mut stats.cpu),
            (WorkerType::Gpu, &mut stats.gpu),
        ] {
            *slot = self.class_stats(class);
        }
        for (_, counts) in self.counts() {
            stats.active_tasks += counts.pending + counts.running;
        }
        stats
    }

    fn class_stats(&self, class: WorkerType) -> ClassStats {
        let mut stats = ClassStats::default();
        for worker in self.workers.values().filter(|w| serves(w.kind, class)) {
            stats.workers += 1;
            stats.used_weight += worker.used();
            stats.max_weight += u64::from(worker.max_weight);
        }
        let counts = self.counts().filter(|(kind, _)| class_of(*kind) == class);
        stats.queued = counts.map(|(_, counts)| counts.pending).sum();
        stats
    }

    /// Tasks by type and state, proof by proof.
    fn counts(&self) -> impl Iterator<Item = (TaskType, Counts)> {
        let counts = self.proofs.values().flat_map(|proof| &proof.counts);
        counts.map(|(kind, counts)| (*kind, *counts))
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

fn view(worker: &Worker, made_tasks: bool) -> WorkerView {
    WorkerView {
        id: worker.id.clone(),
        pod: worker.id.pod().to_owned(),
        kind: worker.kind,
        max_weight: worker.max_weight,
        used_weight: u32::try_from(worker.used()).unwrap_or(u32::MAX),
        tasks: worker
            .live()
            .map(|(id, hold)| (hold.proof.clone(), id.clone(), hold.kind))
            .collect(),
        made_tasks,
        available: worker.is_available(),
        retiring: worker.retiring,
        version: worker.version.clone(),
        device: worker.device.clone(),
        shards: worker.shards,
    }
}
