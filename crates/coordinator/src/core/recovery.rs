//! The time after a change of leader in which workers say what they run and have.

use std::collections::{BTreeMap, HashSet};

use super::{Core, LinkId, is_unit};
use crate::Millis;
use crate::ids::ProofId;
use crate::word::Word;
use provost_proto::worker::TaskType;

/// More terms than can pass between two looks at the Lease.
const MOST_TERMS: u64 = 1 << 20;

/// What a new leader waits for.
pub(crate) struct Recovery {
    /// Pods of the term before that have neither reported nor are known to be gone.
    pub(crate) missing: HashSet<String>,
    /// Until when leaf tasks are held at most.
    pub(crate) leaf_until: Millis,
    /// Until when Controllers, CoreExecutes and ExecuteOnlys are.
    pub(crate) unit_until: Millis,
    /// Whether leaf tasks are held no more.
    pub(crate) leaves_go: bool,
    /// What was said of proofs that are not known, in its order: they may yet be recovered.
    pub(crate) unknown: BTreeMap<ProofId, Vec<(LinkId, Word)>>,
}

impl Core {
    pub(crate) const fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    pub(crate) const fn recovery_mut(&mut self) -> Option<&mut Recovery> {
        self.recovery.as_mut()
    }

    pub(crate) fn set_recovery(&mut self, recovery: Option<Recovery>) -> Option<Recovery> {
        std::mem::replace(&mut self.recovery, recovery)
    }

    /// Whether a task that a report names as created may still turn out to run somewhere: not in a run that began under this leader.
    pub(crate) fn holds_back(&self, proof: &str, kind: TaskType) -> bool {
        let recovered = self.proof(proof).is_some_and(|proof| proof.recovered);
        let recovery = self.recovery.as_ref().filter(|_| recovered);
        recovery.is_some_and(|r| is_unit(kind) || !r.leaves_go)
    }

    /// The epoch in which this replica leads; 0 while it does not.
    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The highest epoch that anyone has spoken of.
    pub(crate) const fn seen_epoch(&self) -> u64 {
        self.seen_epoch
    }

    /// Someone speaks of an epoch. Whether it is the highest so far. One that no leader can have come to means nothing: taken for true it
    /// would be the end of all that the Lease can count.
    pub(crate) const fn see_epoch(&mut self, epoch: u64) -> bool {
        let higher = epoch > self.seen_epoch && epoch - self.seen_epoch <= MOST_TERMS;
        if higher {
            self.seen_epoch = epoch;
        }
        higher
    }

    /// Forgets everything but who is joined, and begins to lead in the given epoch, or ceases to for 0.
    pub(crate) fn start_over(&mut self, epoch: u64) {
        let links = std::mem::take(&mut self.links);
        let cordoned = std::mem::take(&mut self.cordoned);
        let nodes = std::mem::take(&mut self.nodes);
        *self = Self {
            links,
            cordoned,
            nodes,
            gpu_pools: self.gpu_pools,
            epoch,
            seen_epoch: self.seen_epoch.max(epoch),
            ..Self::new(self.config.clone())
        };
        for link in self.links.values_mut() {
            link.start_over();
            link.departure = None;
        }
    }
}
