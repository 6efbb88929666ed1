//! The tree of reductions: neighbouring proofs are joined as soon as there are enough of them, until one is left.

use std::collections::{BTreeMap, VecDeque};

use super::range::Range;

/// A proof that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// What it is about.
    pub range: Range,
    /// Its artifact.
    pub proof: String,
}

/// Proofs to join, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What the joined proof will be about.
    pub range: Range,
    /// The proofs.
    pub members: Vec<Leaf>,
    /// Whether the joined proof is the last.
    pub is_last: bool,
}

/// What follows from a proof that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Join these.
    Reduce(Batch),
    /// The tree is one proof.
    Done,
    /// Nothing is left to wait for, and there is more than one proof: ranges overlapped or one is missing.
    Wedged,
}

/// The proofs that wait for their neighbours.
#[derive(Debug)]
pub struct Tree {
    arity: usize,
    /// Runs of neighbours, by where they begin.
    runs: BTreeMap<u64, VecDeque<Leaf>>,
    /// One leaf is kept back until all are counted: whichever is last decides that the tree is complete.
    held: Option<Leaf>,
    leaves_done: u64,
    leaves: Option<u64>,
    extent: Option<Range>,
    /// Proofs that are to come or to be looked at: leaves that are done, and reductions that run.
    pending: u64,
}

impl Tree {
    /// An empty tree whose reductions join up to `arity` proofs.
    pub fn new(arity: u32) -> Self {
        Self {
            arity: usize::try_from(arity.max(2)).unwrap_or(2),
            runs: BTreeMap::new(),
            held: None,
            leaves_done: 0,
            leaves: None,
            extent: None,
            pending: 0,
        }
    }

    /// All leaves are known now: there are `count`.
    pub fn counted(&mut self, count: u64) -> Option<Step> {
        self.leaves = Some(count);
        if count == 0 {
            return Some(Step::Wedged);
        }
        self.release()
    }

    /// A leaf's proof is there.
    pub fn leaf(&mut self, leaf: Leaf) -> Vec<Step> {
        let extent = self.extent.get_or_insert(leaf.range);
        extent.start = extent.start.min(leaf.range.start);
        extent.end = extent.end.max(leaf.range.end);
        self.leaves_done += 1;
        self.pending += 1;
        let before = self.held.replace(leaf);
        let step = before.and_then(|leaf| self.offer(leaf));
        step.into_iter().chain(self.release()).collect()
    }

    /// A reduction's proof is there.
    pub fn reduced(&mut self, proof: Leaf) -> Option<Step> {
        self.offer(proof)
    }

    fn all_done(&self) -> bool {
        self.leaves == Some(self.leaves_done)
    }

    fn release(&mut self) -> Option<Step> {
        if !self.all_done() {
            return None;
        }
        let last = self.held.take()?;
        self.offer(last)
    }

    fn is_complete(&self, range: Range) -> bool {
        self.all_done()
            && self.held.is_none()
            && self.pending == 0
            && self.runs.is_empty()
            && self.extent == Some(range)
    }

    fn offer(&mut self, proof: Leaf) -> Option<Step> {
        self.pending -= 1;
        if self.is_complete(proof.range) {
            return Some(Step::Done);
        }
        let mut run = self.join(proof);
        if run.len() > self.arity {
            let rest = run.split_off(self.arity);
            self.keep(rest);
        }
        let range = extent(&run);
        let is_last = self.is_complete(range);
        if run.len() == self.arity || (is_last && run.len() > 1) {
            self.pending += 1;
            let members = run.into();
            return Some(Step::Reduce(Batch {
                range,
                members,
                is_last,
            }));
        }
        self.keep(run);
        let stuck = self.pending == 0 && self.all_done() && self.held.is_none();
        stuck.then_some(Step::Wedged)
    }

    /// The proof with the runs that end where it begins and begin where it ends.
    fn join(&mut self, proof: Leaf) -> VecDeque<Leaf> {
        let Range { start, end } = proof.range;
        let left = self.runs.range(..=start).next_back();
        let left = left.filter(|(_, run)| extent(run).end == start);
        let left = left.map(|(at, _)| *at).and_then(|at| self.runs.remove(&at));
        let mut run = left.unwrap_or_default();
        run.push_back(proof);
        run.extend(self.runs.remove(&end).unwrap_or_default());
        run
    }

    fn keep(&mut self, run: VecDeque<Leaf>) {
        self.runs.insert(extent(&run).start, run);
    }
}

fn extent(run: &VecDeque<Leaf>) -> Range {
    Range {
        start: run.front().map_or(0, |leaf| leaf.range.start),
        end: run.back().map_or(0, |leaf| leaf.range.end),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::Random;

    fn leaf(range: Range) -> Leaf {
        Leaf {
            range,
            proof: String::new(),
        }
    }

    /// Grows a tree in random order and says how many reductions it took.
    fn grow(places: u64, precompiles: u64, arity: u32, seed: u64) -> u64 {
        let mut random = Random::new(seed);
        let mut open: Vec<Leaf> = (0..places)
            .map(Range::place)
            .chain((0..precompiles).map(|_| Range::PRECOMPILE))
            .map(leaf)
            .collect();
        let leaves = open.len() as u64;
        let mut tree = Tree::new(arity);
        let mut running: Vec<Leaf> = Vec::new();
        let mut counted = false;
        let mut reductions = 0;
        let mut last = 0;
        loop {
            let moves = open.len() + running.len() + usize::from(!counted);
            assert!(moves > 0, "nothing is left to do");
            let chosen = (random.bits() % moves as u64) as usize;
            let steps: Vec<Step> = if chosen < open.len() {
                tree.leaf(open.swap_remove(chosen))
            } else if chosen < open.len() + running.len() {
                let proof = running.swap_remove(chosen - open.len());
                tree.reduced(proof).into_iter().collect()
            } else {
                counted = true;
                tree.counted(leaves).into_iter().collect()
            };
            for step in steps {
                match step {
                    Step::Reduce(batch) => {
                        assert!((2..=arity as usize).contains(&batch.members.len()));
                        for pair in batch.members.windows(2) {
                            assert_eq!(pair[0].range.end, pair[1].range.start);
                        }
                        reductions += 1;
                        last += u64::from(batch.is_last);
                        running.push(leaf(batch.range));
                    }
                    Step::Done => {
                        assert!(open.is_empty() && running.is_empty() && counted);
                        assert_eq!(last, 1);
                        return reductions;
                    }
                    Step::Wedged => panic!("wedged"),
                }
            }
        }
    }

    proptest! {
        #[test]
        fn every_order_ends_with_one_proof(places in 2u64..60, precompiles in 0u64..20, arity in 2u32..6, seed: u64) {
            let leaves = places + precompiles;
            let reductions = grow(places, precompiles, arity, seed);
            prop_assert_eq!(reductions, (leaves - 1).div_ceil(u64::from(arity) - 1));
        }
    }

    #[test]
    fn overlaps_are_noticed() {
        let mut tree = Tree::new(4);
        assert_eq!(tree.leaf(leaf(Range { start: 1, end: 3 })), []);
        assert_eq!(tree.leaf(leaf(Range { start: 2, end: 4 })), []);
        assert_eq!(tree.counted(2), Some(Step::Wedged));
    }
}
