//! Proofs.

use std::collections::{BTreeMap, BTreeSet};

use provost_proto::worker::TaskType;
use provost_scheduler::ProofKey;

use super::members::Members;
use super::tally::Tally;
use super::task::{Phase, is_unit};
use super::{Core, LinkId, Stray, in_order};
use crate::Millis;
use crate::attempts::AttemptsByType;
use crate::failure::task_name;
use crate::ids::{ProofId, SubId, TaskId};
use crate::proof_spec::{ProofSpec, Root};
use crate::shards::ShardSize;
use crate::state::{Counts, ProofProgress};
use crate::tables::Set;

/// A proof, from its submission until it is forgotten.
pub(crate) struct Proof {
    pub(crate) spec: ProofSpec,
    /// How often it was begun again.
    pub(crate) run: u32,
    /// The root task of this run.
    pub(crate) root: Option<TaskId>,
    /// The tasks of this run.
    pub(crate) tasks: Members,
    /// Tasks of earlier runs: whoever still speaks of them is told that their run is over.
    pub(crate) dropped: Set<TaskId>,
    pub(crate) subs: BTreeSet<SubId>,
    /// How long its tasks held GPUs, in milliseconds, over all runs.
    pub(crate) gpu_ms: u64,
    /// How large the shards of this run are; `None` where it has none.
    pub(crate) shards: Option<ShardSize>,
    /// Failed attempts of tasks that restart the proof, over all runs.
    pub(crate) tallies: BTreeMap<TaskType, Tally>,
    /// Why the present run is not stored, while people must change something first.
    pub(crate) refused: Option<String>,
    /// When the root was first given to a worker.
    pub(crate) started_at: Option<Millis>,
    /// Set once it has ended.
    pub(crate) ended: Option<Ended>,
    /// Processes that had anything of this run: they are told when it is over.
    pub(crate) links: BTreeSet<LinkId>,
    /// Those of them that made tasks of it, or take results: without their word a later leader does not know of those.
    pub(crate) makers: BTreeSet<LinkId>,
    /// Processes that said how the proof ended, and wait for that to be stored.
    pub(crate) concluders: BTreeSet<(LinkId, u32)>,
    /// Whether this run was begun under another leader.
    pub(crate) recovered: bool,
    /// Whether the proof of a recovered run is complete in the store.
    pub(crate) finished: bool,
    /// How many tasks of a recovered run had succeeded, by what was stored, less those that somebody still speaks of. Markers are left out.
    pub(crate) earlier: BTreeMap<TaskType, u32>,
    /// How many tasks of the run before this one had succeeded, and how large its shards were.
    former: (BTreeMap<TaskType, u32>, Option<ShardSize>),
    /// Tasks of a recovered run that are spoken of and not known.
    pub(crate) strays: BTreeMap<TaskId, Stray>,
    /// Counts everything that brings it on.
    pub(super) steps: u64,
    /// How many steps there were at the last look, and since when there were no more.
    pub(super) standstill: (u64, Millis),
    /// What the scheduler calls it.
    pub(super) key: Option<ProofKey>,
    pub(super) reserve: u32,
    pub(super) counts: BTreeMap<TaskType, Counts>,
}

/// The end of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) at: Millis,
    /// Whether the outcome is in the state.
    pub(crate) stored: bool,
}

impl Proof {
    /// Whether a task of this type that has to run again restarts the whole proof.
    pub(crate) fn restarts_with(&self, kind: TaskType) -> bool {
        self.spec.kind != Root::None && is_unit(kind)
    }

    /// Failed attempts over all runs, as they are stored.
    pub(crate) fn attempts(&self) -> AttemptsByType {
        let counts = self.tallies.iter();
        let counts = counts.map(|(kind, tally)| (*kind, tally.attempts()));
        counts.filter(|(_, counts)| !counts.is_empty()).collect()
    }

    /// Goes on counting from what an earlier leader stored.
    pub(crate) fn recall(&mut self, attempts: &AttemptsByType) {
        let tallies = attempts.iter();
        let tallies = tallies.map(|(kind, counts)| (*kind, Tally::from(counts)));
        self.tallies = tallies.collect();
    }

    /// One of its tasks has succeeded, and held a GPU for so long. One that was held for recovery may have been counted by an earlier leader.
    pub(crate) fn succeeded(&mut self, kind: TaskType, gpu_ms: u64, recovered: bool) {
        let earlier = self.earlier.get_mut(&kind).filter(|count| **count > 0);
        match earlier.filter(|_| recovered) {
            Some(count) => *count -= 1,
            None => self.gpu_ms = self.gpu_ms.saturating_add(gpu_ms),
        }
    }

    pub(super) fn count(&mut self, kind: TaskType, phase: &Phase, by: i32) {
        let counts = self.counts.entry(kind).or_default();
        let slot = match phase {
            Phase::Marker | Phase::Held(_) | Phase::Queued | Phase::Delayed(_) => {
                &mut counts.pending
            }
            Phase::Assigned(_) => &mut counts.running,
            Phase::Succeeded => &mut counts.succeeded,
            Phase::Failed => &mut counts.failed,
        };
        *slot = slot.saturating_add_signed(by);
    }

    /// Remembers what the run has got done, which is about to end.
    pub(crate) fn remember_run(&mut self) {
        let tasks = self.all_counts().into_iter();
        let tasks = tasks.filter(|(kind, _)| *kind != TaskType::MarkerDeferredRecord);
        let succeeded = tasks.map(|(kind, counts)| (kind, counts.succeeded));
        self.former = (succeeded.collect(), self.shards);
    }

    /// The run that has just begun is none: what the one before has got done counts.
    pub(crate) fn take_back_run(&mut self) {
        self.run = self.run.saturating_sub(1);
        self.counts.clear();
        (self.earlier, self.shards) = std::mem::take(&mut self.former);
    }

    /// Begins the next run: nothing is left of the last one but the memory of its tasks.
    pub(super) fn begin_again(&mut self) {
        self.run += 1;
        self.root = None;
        self.refused = None;
        self.counts.clear();
        self.recovered = false;
        self.earlier.clear();
        self.strays.clear();
        self.makers.clear();
    }

    fn all_counts(&self) -> BTreeMap<TaskType, Counts> {
        let mut all = self.counts.clone();
        for (kind, count) in &self.earlier {
            all.entry(*kind).or_default().succeeded += count;
        }
        all
    }

    pub(crate) fn progress(&self) -> ProofProgress {
        let mut done = 0;
        let mut total = 0;
        let mut tasks = BTreeMap::new();
        let all = self.all_counts().into_iter();
        for (kind, counts) in all.filter(|(_, c)| c.total() > 0) {
            if kind != TaskType::MarkerDeferredRecord {
                done += counts.succeeded;
                total += counts.total();
            }
            tasks.insert(task_name(kind), counts);
        }
        ProofProgress {
            proof: self.spec.proof_id.clone(),
            run: self.run,
            tasks,
            done,
            total,
            started_at: self.started_at,
            gpu_ms: self.gpu_ms,
            shards: self.shards,
        }
    }
}

impl Core {
    pub(crate) fn proof(&self, id: &str) -> Option<&Proof> {
        self.proofs.get(id)
    }

    pub(crate) fn proof_mut(&mut self, id: &str) -> Option<&mut Proof> {
        self.proofs.get_mut(id)
    }

    /// Adds a proof without tasks. `reserve` is what a worker must be able to give to the Controller's children.
    pub(crate) fn add_proof(&mut self, spec: ProofSpec, reserve: u32) {
        let proof = Proof {
            run: spec.first_run,
            root: None,
            tasks: Members::default(),
            dropped: Set::default(),
            subs: BTreeSet::new(),
            gpu_ms: 0,
            shards: None,
            tallies: BTreeMap::new(),
            refused: None,
            started_at: None,
            ended: None,
            links: BTreeSet::new(),
            makers: BTreeSet::new(),
            concluders: BTreeSet::new(),
            recovered: false,
            finished: false,
            earlier: BTreeMap::new(),
            former: Default::default(),
            strays: BTreeMap::new(),
            steps: 1,
            standstill: (0, 0),
            key: self.schedule.add_proof(&spec),
            reserve,
            counts: BTreeMap::new(),
            spec,
        };
        self.proofs.insert(proof.spec.proof_id.clone(), proof);
    }

    /// Forgets a proof that has no tasks and no subscriptions left.
    pub(crate) fn remove_proof(&mut self, id: &ProofId) {
        if let Some(proof) = self.proofs.remove(id)
            && let Some(key) = proof.key
        {
            self.schedule.remove_proof(key, &proof.spec.requester);
        }
        self.dirty.remove(id);
    }

    pub(crate) fn set_priority(&mut self, id: &str, priority: i32) -> bool {
        let Some(proof) = self.proofs.get_mut(id) else {
            return false;
        };
        proof.spec.priority = priority;
        let known = proof
            .key
            .map(|key| self.schedule.scheduler.set_priority(key, priority));
        known.is_some_and(|known| known.is_ok())
    }

    /// Begins a proof's next run. Its tasks must be gone already.
    pub(crate) fn begin_again(&mut self, id: &ProofId) {
        if let Some(proof) = self.proofs.get_mut(id) {
            proof.begin_again();
            self.dirty.insert(id.clone());
        }
    }

    pub(crate) fn proof_ids(&self, wanted: impl Fn(&Proof) -> bool) -> Vec<ProofId> {
        let wanted = self.proofs.iter().filter(|(_, proof)| wanted(proof));
        in_order(wanted.map(|(id, _)| id.clone()))
    }
}
