//! What moves a task from one place to another, and keeps the accounts.

use super::Scheduler;
use super::tasks::{Hints, Room, State, Task, TaskSpec};
use crate::Millis;
use crate::error::Refused;
use crate::fleet::Hold;
use crate::keys::{HoldKey, ProofKey, TaskKey};
use crate::order::Rank;
use crate::shape::ShapeId;

impl Scheduler {
    pub(super) fn new_task(&mut self, spec: &TaskSpec) -> Result<TaskKey, Refused> {
        self.proofs.get(spec.proof).ok_or(Refused::UnknownProof)?;
        let shape = self.shape_id(spec.shape);
        let entry = self.entry(spec.proof, shape);
        let entry = entry.ok_or(Refused::UnknownProof)?;
        let rank = Rank::new(spec.stage, self.seq);
        self.seq += 1;
        if let Some(proof) = self.proofs.get_mut(spec.proof) {
            proof.tasks += 1;
        }
        Ok(self.tasks.insert(Task {
            proof: spec.proof,
            shape,
            entry,
            rank,
            state: State::Adrift,
            hints: Hints::new(spec.prefer, spec.avoid),
        }))
    }

    /// Puts a task that is nowhere into the queue, or lets it wait out a time.
    pub(super) fn wait(&mut self, key: TaskKey, not_before: Millis) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        if not_before > self.now {
            task.state = State::Delayed(not_before);
            self.delayed.insert((not_before, key));
        } else {
            task.state = State::Waiting;
            self.queue.insert(task.entry, task.rank, key);
        }
    }

    /// Takes a task out of where it waits.
    pub(super) fn leave(&mut self, key: TaskKey) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        match task.state {
            State::Waiting => self.queue.remove(task.entry, task.rank),
            State::Delayed(at) => {
                self.delayed.remove(&(at, key));
            }
            State::Held(_) | State::Adrift => return,
        }
        task.state = State::Adrift;
    }

    /// Gives a task that waits, or is nowhere, to a worker.
    pub(super) fn hold(&mut self, key: TaskKey, worker: u32, beside: bool) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        let Some(proof) = self.proofs.get_mut(task.proof) else {
            return;
        };
        let (id, tenant) = (task.proof, proof.spec.tenant);
        let shape = self.queue.shape(task.shape);
        let (class, weight, lasts) = (shape.class, shape.weight, shape.lasts());
        let hold = self.fleet.hold(worker, shape, tenant, key, beside);
        let Some(hold) = hold else { return };
        if !lasts {
            let fleet = &mut self.fleet;
            proof
                .expecting
                .retain(|parent| !fleet.settle(*parent, class));
        }
        let take = (task.state == State::Waiting).then_some((task.entry, task.rank));
        task.state = State::Held(hold);
        proof.charge(class, weight);
        if lasts {
            proof.lasting += 1;
            self.driven.insert(id);
        }
        if let Some(tenant) = self.tenants.get_mut(tenant) {
            tenant.account.charge(class, weight);
        }
        self.shift(id, class, take);
    }

    /// A lasting task that was just given a worker will shortly have a child that is to be placed. One that a worker turned out to have is not taken to: most of those have theirs.
    pub(super) fn expect(&mut self, key: TaskKey) {
        if let Some(task) = self.tasks.get(key)
            && let State::Held(hold) = task.state
            && let Some(proof) = self.proofs.get_mut(task.proof)
            && self.fleet.expect(hold)
        {
            let fleet = &self.fleet;
            proof.expecting.retain(|parent| fleet.expects(*parent));
            proof.expecting.push(hold);
        }
    }

    /// Whether tasks of the shape wait whose proof has a lasting task that runs: their parent, which waits for them.
    pub(super) fn is_awaited(&self, shape: ShapeId) -> bool {
        let proofs = self.driven.iter().filter_map(|id| self.proofs.get(*id));
        let mut entries = proofs.flat_map(|proof| &proof.entries);
        entries.any(|(id, entry)| *id == shape && self.queue.waits(*entry))
    }

    /// Takes a task from wherever it is: it is adrift then.
    pub(super) fn vacate(&mut self, key: TaskKey, room: Room) -> Result<Option<HoldKey>, Refused> {
        let task = self.tasks.get_mut(key).ok_or(Refused::UnknownTask)?;
        let State::Held(hold) = task.state else {
            self.leave(key);
            return Ok(None);
        };
        task.state = State::Adrift;
        let proof = task.proof;
        match room {
            Room::Kept => {
                if let Some(found) = self.fleet.strand(hold) {
                    self.refund(proof, &found, Room::Kept);
                }
                Ok(Some(hold))
            }
            Room::Freed => {
                if let Some(found) = self.fleet.release(hold) {
                    self.refund(proof, &found, Room::Freed);
                }
                Ok(None)
            }
        }
    }

    /// A proof's task is off its worker.
    pub(super) fn refund(&mut self, key: ProofKey, hold: &Hold, room: Room) {
        if let Some(proof) = self.proofs.get_mut(key) {
            proof.refund(hold.class, hold.weight);
            proof.lasting -= u32::from(hold.lasts);
            if proof.lasting == 0 {
                self.driven.remove(&key);
            }
        }
        // What is not free yet stays the tenant's: or cancelling would be a way to more than one's share.
        if room == Room::Freed
            && let Some(tenant) = self.tenants.get_mut(hold.tenant)
        {
            tenant.account.refund(hold.class, hold.weight);
        }
        self.shift(key, hold.class, None);
    }

    /// Room that was still a tenant's after the task's end is free.
    pub(super) fn refund_late(&mut self, hold: &Hold) {
        if let Some(tenant) = self.tenants.get_mut(hold.tenant) {
            tenant.account.refund(hold.class, hold.weight);
            self.stand_tenant(hold.tenant, hold.class);
        }
    }
}
