//! What is remembered of a task's failed attempts, and what follows from the next one.

use super::{FailureClass, Policy};
use crate::Millis;
use crate::fleet::Pod;

/// What is remembered of a task's failed attempts. Plain data: it is stored, and comes back, with the task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Attempts that failed for reasons of their own.
    pub retries: u32,
    /// How many of them made a proof that does not verify.
    pub invalid: u32,
    /// Times that a worker was told to go.
    pub preemptions: u32,
    /// Workers lost, preemptions not counted.
    pub losses: u32,
    /// The pods that it may have taken down, each once; of those of one node the first, while there was another node.
    pub killed: Vec<Pod>,
    /// Least capacity of a worker for it, in GiB, once it ran out of memory; 0 before.
    pub min_capacity: u32,
    /// When the store was first away, of attempts in a row that found it so.
    pub store_away_since: Option<Millis>,
    /// Attempts in a row that found the store away.
    pub store_waits: u32,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub class: FailureClass,
    /// When.
    pub at: Millis,
    /// Where, if it was with a worker.
    pub place: Option<Place>,
    /// The nodes that have workers of its class, as far as is known.
    pub nodes: Vec<u64>,
}

/// Where an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The worker's pod. Names of pods are not used again, so one that comes back counts as another.
    pub pod: Pod,
    /// Its capacity, in GiB.
    pub capacity: u32,
    /// Whether there are larger workers of its class, or could be.
    pub larger: bool,
    /// Whether the task may be the reason that the worker was lost. A task beside one far heavier is a bystander when memory runs out.
    pub suspect: bool,
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes again.
    Retry {
        /// Not before.
        at: Millis,
        /// Not there, if it can go elsewhere.
        avoid: Option<Pod>,
        /// Only on workers of this capacity at least, in GiB; 0 for any.
        min_capacity: u32,
    },
    /// It does not.
    Fail {
        /// The kind of failure that ends it.
        class: FailureClass,
        /// Why it is not tried again.
        why: GiveUp,
    },
}

/// Why a task is not tried again. [`GiveUp::text`] says it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveUp {
    /// Every attempt would end the same.
    Final,
    /// It failed too often.
    Retries {
        /// Attempts that failed for reasons of their own.
        attempts: u32,
    },
    /// It was on too many workers when they vanished.
    Poison {
        /// How many different ones.
        workers: u32,
    },
    /// It was lost too often.
    Losses {
        /// How often.
        losses: u32,
    },
    /// It was interrupted too often by workers that were told to go.
    Preemptions {
        /// How often.
        preemptions: u32,
    },
    /// It ran out of memory, and did so again on a larger worker.
    OutOfMemory {
        /// The larger worker's capacity, in GiB.
        capacity: u32,
    },
    /// The store was away for too long.
    StoreAway {
        /// How long, in milliseconds.
        millis: Millis,
    },
    /// A proof that does not verify was made twice.
    InvalidTwice,
}

impl History {
    /// Takes a failure in and decides what follows. `random` is any number; all bits count.
    pub fn fail(&mut self, policy: &Policy, failure: &Failure, random: u64) -> Decision {
        let class = failure.class;
        if class != FailureClass::StoreUnavailable {
            self.store_away_since = None;
            self.store_waits = 0;
        }
        let verdict = match class {
            FailureClass::ProgramFault => Err(GiveUp::Final),
            FailureClass::Preempted => self.preempted(policy),
            FailureClass::NodeLost => self.lost(policy, failure.place, &failure.nodes),
            FailureClass::OutOfMemory => self.out_of_memory(policy, failure),
            FailureClass::StoreUnavailable => self.store_away(policy, failure.at),
            FailureClass::InvalidProof => self.invalid(policy),
            FailureClass::Transient | FailureClass::Timeout | FailureClass::Bug => {
                self.retry(policy)
            }
        };
        match verdict {
            Ok(in_a_row) => Decision::Retry {
                at: failure.at.saturating_add(policy.wait(in_a_row, random)),
                avoid: failure.place.map(|place| place.pod),
                min_capacity: self.min_capacity,
            },
            Err(why) => Decision::Fail { class, why },
        }
    }

    /// A worker that was given up is back: that it was lost does not count.
    pub fn forgive(&mut self, class: FailureClass, pod: Pod) {
        match class {
            FailureClass::Preempted => self.preemptions = self.preemptions.saturating_sub(1),
            FailureClass::NodeLost | FailureClass::OutOfMemory => {
                self.losses = self.losses.saturating_sub(1);
                self.killed.retain(|killed| *killed != pod);
            }
            _ => {}
        }
    }

    /// How many waits in a row the next attempt makes, or why there is none.
    fn retry(&mut self, policy: &Policy) -> Result<u32, GiveUp> {
        self.retries = self.retries.saturating_add(1);
        if self.retries > policy.retries {
            let attempts = self.retries;
            return Err(GiveUp::Retries { attempts });
        }
        Ok(self.retries)
    }

    fn invalid(&mut self, policy: &Policy) -> Result<u32, GiveUp> {
        self.invalid = self.invalid.saturating_add(1);
        if self.invalid > 1 {
            return Err(GiveUp::InvalidTwice);
        }
        self.retry(policy)
    }

    /// Nothing is wrong but the place: no wait.
    fn preempted(&mut self, policy: &Policy) -> Result<u32, GiveUp> {
        self.preemptions = self.preemptions.saturating_add(1);
        if self.preemptions > policy.preemptions {
            let preemptions = self.preemptions;
            return Err(GiveUp::Preemptions { preemptions });
        }
        Ok(0)
    }

    /// The first loss costs no wait: most often it is the worker's fault.
    fn lost(
        &mut self,
        policy: &Policy,
        place: Option<Place>,
        nodes: &[u64],
    ) -> Result<u32, GiveUp> {
        self.losses = self.losses.saturating_add(1);
        if let Some(place) = place
            && place.suspect
            && self.counts(place.pod, nodes)
        {
            self.killed.push(place.pod);
        }
        let workers = u32::try_from(self.killed.len()).unwrap_or(u32::MAX);
        if workers >= policy.killed_workers {
            return Err(GiveUp::Poison { workers });
        }
        if self.losses >= policy.losses {
            let losses = self.losses;
            return Err(GiveUp::Losses { losses });
        }
        Ok(self.losses - 1)
    }

    /// Whether a pod counts that it may have taken down: once, and of the pods of one node the first, for as long as there is a node that it has taken down none of.
    fn counts(&self, pod: Pod, nodes: &[u64]) -> bool {
        let of_node = |node| self.killed.iter().any(|pod| pod.node() == Some(node));
        let spared = nodes.iter().any(|node| !of_node(*node));
        let again = spared && pod.node().is_some_and(of_node);
        !(again || self.killed.contains(&pod))
    }

    fn out_of_memory(&mut self, policy: &Policy, failure: &Failure) -> Result<u32, GiveUp> {
        let Some(place) = failure.place.filter(|place| place.suspect) else {
            return self.lost(policy, failure.place, &failure.nodes);
        };
        let escalated = self.min_capacity > 0 && place.capacity >= self.min_capacity;
        if escalated {
            let capacity = place.capacity;
            return Err(GiveUp::OutOfMemory { capacity });
        }
        if place.larger {
            self.min_capacity = place.capacity.saturating_add(1);
        }
        // Its memory is the pod's own, whatever the node.
        self.lost(policy, Some(place), &[])
    }

    fn store_away(&mut self, policy: &Policy, now: Millis) -> Result<u32, GiveUp> {
        let since = *self.store_away_since.get_or_insert(now);
        let millis = now.saturating_sub(since);
        if millis > policy.store_patience {
            return Err(GiveUp::StoreAway { millis });
        }
        self.store_waits = self.store_waits.saturating_add(1);
        Ok(self.store_waits)
    }
}

#[cfg(test)]
mod tests;
