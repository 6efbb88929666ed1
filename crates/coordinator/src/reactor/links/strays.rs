//! Tasks that are spoken of after a change of leader and that nobody has named as created.
//!
//! Either their creator has yet to report, or it has taken in the result and forgotten the task: then its report has the result. If it is lost with
//! that, nobody can tell, and a run in which someone waits for such a task begins again.

use provost_proto::worker::TaskStatus;

use crate::core::{LinkId, Stray, is_unit};
use crate::ids::{ProofId, TaskId};
use crate::reactor::Reactor;
use crate::word::Outcome;

impl Reactor<'_> {
    /// Whether a task of the proof that is not known may be one of an earlier term.
    pub(in crate::reactor) fn may_be_stray(&self, proof: &ProofId) -> bool {
        let proof = self.core.proof(proof);
        proof.is_some_and(|proof| proof.recovered && proof.ended.is_none())
    }

    /// While workers report: what is known of such a task, made at the first word of it.
    pub(in crate::reactor) fn stray(&mut self, proof: &ProofId, id: &TaskId) -> Option<&mut Stray> {
        if self.core.recovery().is_none() || !self.may_be_stray(proof) {
            return None;
        }
        let proof = self.core.proof_mut(proof)?;
        Some(proof.strays.entry(id.clone()).or_default())
    }

    /// The task is created after all: what was said of it counts.
    pub(super) fn claim_stray(&mut self, proof: &ProofId, id: &TaskId) {
        let strays = self.core.proof_mut(proof).map(|proof| &mut proof.strays);
        let Some(stray) = strays.and_then(|strays| strays.remove(id)) else {
            return;
        };
        if let Some(task) = self.core.task_mut(id) {
            for taker in stray.takers {
                if !task.takers.contains(&taker) {
                    task.takers.push(taker);
                }
            }
        }
        for payload in stray.said {
            // It may only be too much, and then the producer hears of it when it goes on.
            let _ = self.append(id, payload);
        }
        if let Some((worker, attempt, ran)) = stray.running {
            let unit = self.core.task(id).is_some_and(|task| is_unit(task.kind));
            let native = self.core.worker(&worker).is_some_and(|w| w.link.is_some());
            if unit && !native {
                // It has kept no messages: what it had said is lost.
                self.cancel_on(&worker, proof, id);
            } else {
                self.adopt(&worker, id, attempt, ran);
            }
        }
        if let Some(done) = stray.done {
            let (link, worker) = (done.link, done.worker);
            let judged = self.known_ended(link, &worker, id.clone(), done.attempt, done.outcome);
            if judged.is_err() {
                self.tell_settled(link, vec![id.clone()]);
            }
        }
        if let Some(status) = stray.status
            && self
                .core
                .task(id)
                .is_some_and(|task| !task.phase().is_final())
        {
            self.ended_before(id, status);
        }
        for (link, from) in stray.listeners {
            self.listen_to(link, proof, id, from);
        }
    }

    /// No more reports come: tasks that nobody has created are done. False if how is lost, or what they said.
    pub(in crate::reactor) fn settle_strays(&mut self, proof: &ProofId) -> bool {
        let strays = self.core.proof_mut(proof).map(|proof| &mut proof.strays);
        let strays = strays.map(std::mem::take).unwrap_or_default();
        let lost = |s: &Stray| !s.takers.is_empty() && s.status.is_none() && !completed(s);
        let unheard = |s: &Stray| {
            let said = s.said.len() as u64;
            let mut listeners = s.listeners.iter();
            said == 0 && !s.listeners.is_empty() || listeners.any(|(_, from)| *from > said)
        };
        let whole = !strays.values().any(|stray| lost(stray) || unheard(stray));
        for (id, mut stray) in strays {
            if let Some((worker, ..)) = stray.running.take() {
                self.cancel_on(&worker, proof, &id);
            }
            if completed(&stray) {
                stray.status = Some(TaskStatus::Succeeded);
            }
            if let Some(status) = stray.status {
                for link in stray.takers.clone() {
                    self.tell_result(link, proof, &id, status);
                }
            }
            for (link, from) in std::mem::take(&mut stray.listeners) {
                self.tell_all(link, &id, from, &stray.said);
            }
            match &stray.done {
                Some(done) if stray.takers.is_empty() || !completed(&stray) => {
                    self.tell_settled(done.link, vec![id.clone()]);
                    stray.done = None;
                }
                _ => {}
            }
            if let Some(proof) = self.core.proof_mut(proof) {
                proof.strays.insert(id, stray);
            }
        }
        whole
    }

    /// A process has taken in the result of such a task. Says who may forget it now.
    pub(super) fn stray_taken(
        &mut self,
        link: LinkId,
        proof: &ProofId,
        id: &TaskId,
    ) -> Option<LinkId> {
        let strays = &mut self.core.proof_mut(proof)?.strays;
        let stray = strays.get_mut(id)?;
        stray.status?;
        stray.takers.retain(|taker| *taker != link);
        if !stray.takers.is_empty() {
            return None;
        }
        stray.done.take().map(|done| done.link)
    }

    /// Forgets what was said of such tasks, and stops those that run.
    pub(in crate::reactor) fn clear_strays(&mut self, proof: &ProofId) {
        let strays = self.core.proof_mut(proof).map(|proof| &mut proof.strays);
        for (id, stray) in strays.map(std::mem::take).unwrap_or_default() {
            if let Some((worker, ..)) = stray.running {
                self.cancel_on(&worker, proof, &id);
            }
        }
    }
}

fn completed(stray: &Stray) -> bool {
    let done = stray.done.as_ref();
    done.is_some_and(|done| matches!(done.outcome, Outcome::Completed(_)))
}
