//! How runs and proofs end for joined processes.

use super::{Declined, Judged};
use crate::core::{LinkId, Phase};
use crate::failure::{FailureClass, Loss};
use crate::ids::{ProofId, WorkerId};
use crate::reactor::Reactor;
use crate::state::{ProofResult, TaskChangeKind};
use crate::word::{Conclusion, RunId};

impl Reactor<'_> {
    /// A root says how its proof ended. A success counts whichever run it comes from: the proof is there, and its input is gone. A failure of an
    /// earlier run says nothing.
    pub(super) fn concluded(&mut self, link: LinkId, conclusion: Conclusion) -> Judged {
        let Conclusion {
            run,
            task,
            failure,
            extra_data,
        } = conclusion;
        let Some(proof) = self.core.proof(&run.proof) else {
            // It ended, was stored, and is forgotten.
            self.tell_concluded(link, &run);
            return Err(Declined::Over(run));
        };
        match proof.ended {
            Some(ended) if ended.stored => {
                self.tell_concluded(link, &run);
                return Err(Declined::Over(run));
            }
            None if failure.is_some() && proof.run != run.run => {
                return Err(Declined::Over(run));
            }
            _ => {}
        }
        let (live, root) = (proof.ended.is_none(), proof.root.clone());
        if let Some(proof) = self.core.proof_mut(&run.proof) {
            proof.links.insert(link);
            proof.concluders.insert((link, run.run));
        }
        if !live {
            return Ok(());
        }
        let pod = self.core.link(link).map(|link| link.pod.as_str());
        let worker = WorkerId::from(pod.unwrap_or_default());
        let result = match failure {
            None => {
                if let Some(root) = &root {
                    let done = TaskChangeKind::Succeeded {
                        metadata: String::new(),
                        gpu_ms: 0,
                    };
                    self.settle(&worker, root, Phase::Succeeded, done);
                }
                ProofResult::Succeeded { extra_data }
            }
            Some(mut failure) => {
                if let Some(known) = self.core.task(&task) {
                    let kind = failure.task_type.unwrap_or(known.kind);
                    failure = failure.of(task.clone(), kind);
                }
                let failed = TaskChangeKind::Failed(failure.clone());
                self.settle(&worker, &task, Phase::Failed, failed);
                ProofResult::Failed {
                    failure,
                    extra_data,
                }
            }
        };
        self.end_proof(&run.proof, result);
        Ok(())
    }

    /// How a proof ended is stored, or nobody wants it: its processes are told.
    pub(in crate::reactor) fn end_links(&mut self, id: &ProofId) {
        let Some(proof) = self.core.proof_mut(id) else {
            return;
        };
        for (link, run) in std::mem::take(&mut proof.concluders) {
            let proof = id.clone();
            self.tell_concluded(link, &RunId { proof, run });
        }
        self.tell_run_over(id);
    }

    /// A run is over before its proof is.
    pub(in crate::reactor) fn end_run(&mut self, id: &ProofId) {
        self.clear_strays(id);
        self.tell_run_over(id);
    }

    fn tell_run_over(&mut self, id: &ProofId) {
        let Some(proof) = self.core.proof_mut(id) else {
            return;
        };
        let links = std::mem::take(&mut proof.links);
        let run = RunId {
            proof: id.clone(),
            run: proof.run,
        };
        for link in links {
            self.tell_over(link, &run);
        }
    }

    /// Something that a run can not go on without is gone: it begins again.
    pub(in crate::reactor) fn lose_run(&mut self, id: &ProofId, why: &str) {
        let root = self.core.proof(id).and_then(|proof| proof.root.clone());
        if let Some(root) = root {
            let loss = Loss::new(FailureClass::NodeLost, why);
            self.tasks_lost(&[root], &loss);
        }
    }
}
