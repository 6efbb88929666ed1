//! A replica begins to lead, finds out what goes on, and ceases to lead.
//!
//! What an earlier leader had handed out goes on where it runs. Until all workers of the last term have said what that is, are gone, or have taken too
//! long, nothing that may run somewhere is started again. Everything new is dispatched at once.

use provost_proto::worker::TaskType;

use super::Reactor;
use super::links::Answers;
use crate::config::millis;
use crate::core::{Held, Link, LinkId, Phase, Recovery, is_unit};
use crate::failure::{Failure, FailureClass};
use crate::ids::{ProofId, TaskId};
use crate::refusal::Refusal;
use crate::term::{RecoveredProof, Term};
use crate::word::Word;

impl Reactor<'_> {
    /// The replica leads from now on. Everyone who is joined is told, and reports.
    pub(crate) fn lead(&mut self, term: Term) {
        tracing::info!(
            epoch = term.epoch,
            proofs = term.proofs.len(),
            expected = term.expected.len(),
            "begins to lead"
        );
        self.core.start_over(term.epoch);
        self.core.set_recovery(Some(Recovery {
            missing: term.expected.into_iter().collect(),
            leaf_until: self.now + millis(term.leaf_limit),
            unit_until: self.now + millis(term.unit_limit),
            leaves_go: false,
            unknown: std::collections::BTreeMap::new(),
        }));
        for proof in term.proofs {
            let id = proof.spec.proof_id.clone();
            if let Err(refusal) = self.proof_recovered(proof) {
                tracing::warn!(proof = %id, %refusal, "proof not recovered");
            }
        }
        let links: Vec<_> = self.core.links().map(|(id, _)| id).collect();
        for link in links {
            let roles = self.core.link(link).map(|link| link.roles.clone());
            for (role, worker) in roles.unwrap_or_default() {
                self.open_role(link, &role, worker);
            }
            self.tell_welcome(link);
        }
        self.tend_recovery();
        self.dispatch();
    }

    /// The replica leads no more. It forgets everything but who is joined.
    pub(crate) fn step_down(&mut self) {
        tracing::info!(epoch = self.core.epoch(), "leads no more");
        self.core.start_over(0);
        let links: Vec<_> = self.core.links().map(|(id, _)| id).collect();
        for link in links {
            self.tell_welcome(link);
        }
    }

    /// A proof that an earlier leader had begun. Its root is held until it shows where that runs.
    pub(crate) fn proof_recovered(&mut self, proof: RecoveredProof) -> Result<TaskId, Refusal> {
        let RecoveredProof {
            spec,
            run,
            root,
            attempts,
            gpu_ms,
            shards,
            succeeded,
            finished,
        } = proof;
        let id = spec.proof_id.clone();
        if let Some(known) = self.core.proof(&id) {
            return match (&known.ended, &known.root) {
                (None, Some(root)) => Ok(root.clone()),
                _ => Err(Refusal::ProofEnded(id)),
            };
        }
        if spec.kind.task_type().is_none() {
            let message = format!("proof {id} has no root to recover");
            return Err(Refusal::Invalid(message));
        }
        let reserve = self.reserve(&spec);
        self.core.add_proof(spec, reserve);
        if let Some(proof) = self.core.proof_mut(&id) {
            proof.run = run;
            proof.recovered = true;
            proof.finished = finished;
            proof.recall(&attempts);
            proof.gpu_ms = gpu_ms;
            proof.shards = shards;
            proof.earlier = succeeded;
            proof.earlier.remove(&TaskType::MarkerDeferredRecord);
        }
        self.add_root(&id, root.clone(), Phase::Held(Held::Recovery));
        match self.core.recovery_mut() {
            Some(recovery) => {
                for (link, word) in recovery.unknown.remove(&id).unwrap_or_default() {
                    let mut answers = Answers::default();
                    self.heed(link, word, &mut answers);
                    self.answer(link, answers);
                }
            }
            None => self.settle_recovered(&id),
        }
        self.dispatch();
        Ok(root)
    }

    /// Something is said of a proof that is not known. It may yet be recovered.
    pub(super) fn keep_unknown(&mut self, link: LinkId, word: Word) {
        let Some(run) = word.run() else { return };
        let proof = run.proof.clone();
        if let Some(recovery) = self.core.recovery_mut() {
            recovery
                .unknown
                .entry(proof)
                .or_default()
                .push((link, word));
        }
    }

    /// Ends the recovery, or the hold of leaf tasks, when that is due.
    pub(super) fn tend_recovery(&mut self) {
        let Some(recovery) = self.core.recovery() else {
            return;
        };
        let unreported = |link: &Link| link.conn.is_some() && !link.reported;
        let silent = self.core.links().any(|(_, link)| unreported(link));
        let complete = recovery.missing.is_empty() && !silent;
        let leaves_go = self.now >= recovery.leaf_until && !recovery.leaves_go;
        if complete || self.now >= recovery.unit_until {
            self.end_recovery();
        } else if leaves_go {
            if let Some(recovery) = self.core.recovery_mut() {
                recovery.leaves_go = true;
            }
            for proof in self.core.proof_ids(|proof| proof.recovered) {
                self.let_go_held(&proof, |kind| !is_unit(kind));
            }
        }
    }

    fn end_recovery(&mut self) {
        let Some(recovery) = self.core.set_recovery(None) else {
            return;
        };
        tracing::info!(missing = ?recovery.missing, "recovery ends");
        for (link, word) in recovery.unknown.into_values().flatten() {
            let mut answers = Answers::default();
            self.heed(link, word, &mut answers);
            self.answer(link, answers);
        }
        for proof in self.core.proof_ids(|proof| proof.recovered) {
            self.settle_recovered(&proof);
        }
    }

    /// It is known what runs of a proof: what does not may be started, and what can not go on begins again.
    fn settle_recovered(&mut self, id: &ProofId) {
        let Some(proof) = self.core.proof(id).filter(|p| p.ended.is_none()) else {
            return;
        };
        let root = proof.root.as_ref().and_then(|root| self.core.task(root));
        if root.is_some_and(|root| *root.phase() == Phase::Held(Held::Recovery)) {
            self.begin_unrun(id);
            return;
        }
        let unheard = self.unheard_of(id);
        if !self.settle_strays(id) || unheard {
            self.lose_run(id, "a worker was lost with what only it knew");
            return;
        }
        self.let_go_held(id, |_| true);
    }

    /// A root that no worker runs waits for one like any other, in a new run: the old one's messages may be gone. Nothing is known to have
    /// failed, so nothing is counted: it may never have been given out.
    fn begin_unrun(&mut self, id: &ProofId) {
        let root = self.core.proof(id).and_then(|proof| proof.root.clone());
        if let Some(root) = root {
            let message = "no worker runs it after a change of leader";
            let failure = Failure::new(FailureClass::NodeLost, message);
            self.requeue(&root, failure, self.now);
        }
    }

    /// Tasks that run nowhere wait for a worker like all others.
    fn let_go_held(&mut self, id: &ProofId, which: impl Fn(TaskType) -> bool) {
        let proof = self.core.proof(id).into_iter();
        let tasks = proof.flat_map(|proof| self.core.open_tasks(proof));
        let held = tasks.filter(|t| *t.phase() == Phase::Held(Held::Recovery) && which(t.kind));
        let mut held: Vec<_> = held.map(|task| (task.rank, task.id.clone())).collect();
        held.sort_unstable();
        for (_, task) in held {
            self.core.set_phase(&task, Phase::Queued);
        }
    }
}
