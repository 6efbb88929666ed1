//! Proofs: what places their tasks in the order.

use super::Scheduler;
use crate::Millis;
use crate::error::Refused;
use crate::keys::{HoldKey, ProofKey, TenantKey};
use crate::order::{Band, Deadline, Rank};
use crate::queue::{By, EntryId, Seat, Shift};
use crate::shape::{Class, ShapeId};
use crate::share::Account;

/// A proof as it is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofSpec {
    /// Whose it is.
    pub tenant: TenantKey,
    /// The higher goes first, whoever's it is. Meant are few different ones: each costs a little with every decision.
    pub priority: i32,
    /// When it is wanted.
    pub deadline: Option<Deadline>,
    /// How many of its tasks may run at once on provers, at least 1; `None` for as many as find room.
    pub parallelism: Option<u32>,
}

/// A proof.
pub(crate) struct Proof {
    pub(crate) spec: ProofSpec,
    pub(crate) account: Account,
    /// Tasks on provers now.
    pub(crate) on_provers: u32,
    pub(crate) tasks: u32,
    /// Lasting tasks that run.
    pub(crate) lasting: u32,
    /// What its lasting tasks hold whose first child is to be placed yet. May name some that are over.
    pub(super) expecting: Vec<HoldKey>,
    /// Its latest start, if it is urgent.
    start_by: Option<Millis>,
    /// When that changes by itself.
    timer: Option<Millis>,
    /// Its waiting tasks, by shape.
    pub(crate) entries: Vec<(ShapeId, EntryId)>,
}

impl Proof {
    /// How many of its tasks may run at once on provers, if it has as many.
    pub(crate) fn at_cap(&self) -> Option<u32> {
        let cap = self.spec.parallelism?.max(1);
        (self.on_provers >= cap).then_some(cap)
    }

    /// A task of it is with a worker.
    pub(super) fn charge(&mut self, class: Class, weight: u32) {
        self.account.charge(class, weight);
        self.on_provers += u32::from(class == Class::Gpu);
    }

    /// A task of it is with a worker no more.
    pub(super) fn refund(&mut self, class: Class, weight: u32) {
        self.account.refund(class, weight);
        self.on_provers -= u32::from(class == Class::Gpu);
    }

    /// Where its tasks stand before fair share counts.
    pub(crate) fn band(&self) -> Band {
        let normal = Band::normal(self.spec.priority);
        self.start_by
            .map_or(normal, |at| Band::urgent(self.spec.priority, at))
    }

    /// Where its tasks of a class stand; `None` while they are to be stepped over.
    fn seat(&self, class: Class) -> Option<Seat> {
        if class == Class::Gpu && self.at_cap().is_some() {
            return None;
        }
        let by = match self.start_by {
            Some(at) => By::StartBy(at),
            None => By::Share {
                tenant: u32::try_from(self.spec.tenant.index()).unwrap_or(u32::MAX),
                proof: self.account.standing(class),
            },
        };
        Some(Seat {
            priority: self.spec.priority,
            by,
        })
    }
}

impl Scheduler {
    /// Adds a proof that has no tasks yet.
    ///
    /// # Errors
    /// [`Refused::UnknownTenant`].
    pub fn add_proof(&mut self, spec: ProofSpec) -> Result<ProofKey, Refused> {
        let tenant = self.tenants.get_mut(spec.tenant);
        tenant.ok_or(Refused::UnknownTenant)?.proofs += 1;
        let key = self.proofs.insert(Proof {
            spec,
            account: Account::new(1),
            on_provers: 0,
            tasks: 0,
            lasting: 0,
            expecting: Vec::new(),
            start_by: None,
            timer: None,
            entries: Vec::new(),
        });
        self.reckon_urgency(key);
        Ok(key)
    }

    /// Forgets a proof.
    ///
    /// # Errors
    /// [`Refused::UnknownProof`]; [`Refused::InUse`] while it has tasks.
    pub fn remove_proof(&mut self, proof: ProofKey) -> Result<(), Refused> {
        let found = self.proofs.get(proof).ok_or(Refused::UnknownProof)?;
        if found.tasks > 0 {
            return Err(Refused::InUse);
        }
        let tenant = found.spec.tenant;
        if let Some(at) = found.timer {
            self.timers.remove(&(at, proof));
        }
        if let Some(found) = self.proofs.remove(proof) {
            for (_, entry) in found.entries {
                self.queue.close(entry);
            }
        }
        if let Some(tenant) = self.tenants.get_mut(tenant) {
            tenant.proofs -= 1;
        }
        Ok(())
    }

    /// Gives a proof another priority.
    ///
    /// # Errors
    /// [`Refused::UnknownProof`].
    pub fn set_priority(&mut self, proof: ProofKey, priority: i32) -> Result<(), Refused> {
        self.change_proof(proof, |spec| spec.priority = priority)
    }

    /// Gives a proof another deadline, or another estimate of its remaining work.
    ///
    /// # Errors
    /// [`Refused::UnknownProof`].
    pub fn set_deadline(
        &mut self,
        proof: ProofKey,
        deadline: Option<Deadline>,
    ) -> Result<(), Refused> {
        self.change_proof(proof, |spec| spec.deadline = deadline)
    }

    /// Lets more or fewer of a proof's tasks run at once on provers. What runs already goes on.
    ///
    /// # Errors
    /// [`Refused::UnknownProof`].
    pub fn set_parallelism(
        &mut self,
        proof: ProofKey,
        parallelism: Option<u32>,
    ) -> Result<(), Refused> {
        self.change_proof(proof, |spec| spec.parallelism = parallelism)
    }

    /// Weight that a proof's tasks take up on workers now, in GiB, given-up ones not counted.
    pub fn used_by_proof(&self, proof: ProofKey, class: Class) -> Option<u64> {
        Some(self.proofs.get(proof)?.account.used(class))
    }

    fn change_proof(
        &mut self,
        proof: ProofKey,
        change: impl FnOnce(&mut ProofSpec),
    ) -> Result<(), Refused> {
        let found = self.proofs.get_mut(proof).ok_or(Refused::UnknownProof)?;
        change(&mut found.spec);
        self.reckon_urgency(proof);
        Ok(())
    }

    /// Reckons anew whether a proof is urgent, and puts its tasks where they belong.
    pub(super) fn reckon_urgency(&mut self, key: ProofKey) {
        let Some(proof) = self.proofs.get_mut(key) else {
            return;
        };
        let slack = self.settings.urgent_slack;
        let deadline = proof.spec.deadline;
        let urgency = deadline.map(|deadline| deadline.urgency(self.now, slack));
        let urgency = urgency.unwrap_or_default();
        if let Some(at) = proof.timer.take() {
            self.timers.remove(&(at, key));
        }
        if let Some(at) = urgency.until {
            self.timers.insert((at, key));
        }
        proof.timer = urgency.until;
        proof.start_by = urgency.start_by;
        for class in Class::ALL {
            self.stand_proof(key, class);
        }
    }

    /// What a proof and its tenant have of a class has changed, and with that, it may be, a task leaves the queue.
    pub(super) fn shift(&mut self, key: ProofKey, class: Class, take: Option<(EntryId, Rank)>) {
        let Some(proof) = self.proofs.get(key) else {
            return;
        };
        let tenant = proof.spec.tenant;
        let account = self.tenants.get(tenant).map(|t| t.account.standing(class));
        self.queue.shift(&Shift {
            class,
            take,
            entries: &proof.entries,
            seat: proof.seat(class),
            tenant: u32::try_from(tenant.index()).unwrap_or(u32::MAX),
            standing: account.unwrap_or_default(),
        });
    }

    /// Puts a proof's waiting tasks of a class where they now belong.
    fn stand_proof(&mut self, key: ProofKey, class: Class) {
        let Some(proof) = self.proofs.get(key) else {
            return;
        };
        let seat = proof.seat(class);
        for (shape, entry) in &proof.entries {
            if self.queue.shape(*shape).class == class {
                self.queue.seat(*entry, seat);
            }
        }
    }

    /// The entry for a proof's tasks of a shape.
    pub(super) fn entry(&mut self, key: ProofKey, shape: ShapeId) -> Option<EntryId> {
        let proof = self.proofs.get_mut(key)?;
        if let Some((_, entry)) = proof.entries.iter().find(|(s, _)| *s == shape) {
            return Some(*entry);
        }
        let class = self.queue.shape(shape).class;
        let seat = proof.seat(class);
        let entry = self.queue.open(shape, seat);
        proof.entries.push((shape, entry));
        Some(entry)
    }
}
