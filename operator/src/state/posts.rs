//! The newest progress of each proof that has not ended.

use std::collections::HashMap;

use provost_coordinator::{ProofId, ProofProgress};
use provost_crds::TaskState;

use crate::metrics::TaskLabels;

/// Tables without I/O: what is to be written of each proof, and what all of them come to.
#[derive(Default)]
pub(super) struct Posts(HashMap<ProofId, Post>);

struct Post {
    progress: ProofProgress,
    written: bool,
}

impl Posts {
    /// Takes the place of what was known of the proof.
    pub(super) fn put(&mut self, progress: ProofProgress) {
        let proof = progress.proof.clone();
        let written = false;
        self.0.insert(proof, Post { progress, written });
    }

    /// Nothing more is to be said of the proof. Until then it counts, however long nothing changes.
    pub(super) fn remove(&mut self, proof: &ProofId) {
        self.0.remove(proof);
    }

    /// Of which proofs there is something that was not handed out yet.
    pub(super) fn due(&self) -> Vec<ProofId> {
        let fresh = self.0.iter().filter(|(_, post)| !post.written);
        fresh.map(|(proof, _)| proof.clone()).collect()
    }

    /// The newest of the proof, if that was not handed out yet.
    pub(super) fn take(&mut self, proof: &ProofId) -> Option<ProofProgress> {
        let post = self.0.get_mut(proof).filter(|post| !post.written)?;
        post.written = true;
        Some(post.progress.clone())
    }

    /// What was handed out of the proof was not written.
    pub(super) fn put_back(&mut self, proof: &ProofId) {
        if let Some(post) = self.0.get_mut(proof) {
            post.written = false;
        }
    }

    /// Tasks of all proofs, by type and state.
    pub(super) fn count(&self) -> HashMap<TaskLabels, usize> {
        let mut counts: HashMap<TaskLabels, usize> = HashMap::new();
        for (task_type, tasks) in self.0.values().flat_map(|post| &post.progress.tasks) {
            let states = [
                (TaskState::Pending, tasks.pending),
                (TaskState::Running, tasks.running),
                (TaskState::Succeeded, tasks.succeeded),
                (TaskState::Failed, tasks.failed),
            ];
            for (state, count) in states {
                let labels = TaskLabels {
                    task_type: (*task_type).to_owned(),
                    state: state.as_str(),
                };
                *counts.entry(labels).or_default() += count as usize;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_coordinator::Counts;

    fn progress(proof: &str, running: u32) -> ProofProgress {
        let counts = Counts {
            running,
            ..Counts::default()
        };
        ProofProgress {
            proof: proof.into(),
            run: 0,
            tasks: [("ProveShard", counts)].into(),
            done: 0,
            total: running,
            started_at: None,
            gpu_ms: 0,
            shards: None,
        }
    }

    fn running(posts: &Posts) -> usize {
        let labels = TaskLabels {
            task_type: "ProveShard".to_owned(),
            state: TaskState::Running.as_str(),
        };
        posts.count().get(&labels).copied().unwrap_or_default()
    }

    #[test]
    fn a_proof_counts_until_it_is_settled_written_or_not() {
        let mut posts = Posts::default();
        posts.put(progress("a", 2));
        posts.put(progress("b", 3));
        assert_eq!(posts.due().len(), 2);
        for proof in ["a", "b"] {
            assert!(posts.take(&proof.into()).is_some());
        }
        assert!(posts.due().is_empty());
        assert_eq!(running(&posts), 5);
        posts.remove(&"a".into());
        assert_eq!(running(&posts), 3);
    }

    #[test]
    fn what_was_not_written_is_due_again() {
        let mut posts = Posts::default();
        posts.put(progress("a", 2));
        posts.take(&"a".into());
        posts.put_back(&"a".into());
        posts.put_back(&"settled meanwhile".into());
        assert_eq!(posts.due(), ["a".into()]);
    }

    #[test]
    fn what_is_handed_out_is_the_newest_and_once() {
        let mut posts = Posts::default();
        posts.put(progress("a", 2));
        assert_eq!(posts.due(), ["a".into()]);
        posts.put(progress("a", 3));
        assert_eq!(posts.take(&"a".into()), Some(progress("a", 3)));
        assert_eq!(posts.take(&"a".into()), None);
        posts.put(progress("a", 4));
        posts.remove(&"a".into());
        assert_eq!(posts.take(&"a".into()), None);
    }
}
