//! What becomes of the task objects that a new leader finds. Pure.

use std::collections::{HashMap, HashSet};

use kube::ResourceExt;
use provost_coordinator::RecoveredProof;
use provost_crds::{ProvingTask, TaskState};

use super::object::{self, TaskRecord};

/// An object that was found, and is not left alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) record: TaskRecord,
    pub(super) uid: Option<String>,
    /// Whether its task may go on; else the object is deleted.
    pub(super) goes_on: bool,
}

/// Sorts what was found: tasks of the present run of a proof that goes on may go on, and so may its root. Failed tasks are left out: their objects
/// stay, for people, until their proof is collected.
pub(super) fn sort(tasks: Vec<ProvingTask>, go_on: &[RecoveredProof]) -> Vec<Found> {
    let proofs: HashMap<&str, &RecoveredProof> = go_on
        .iter()
        .map(|proof| (&*proof.spec.proof_id, proof))
        .collect();
    let mut found = all(tasks);
    for Found {
        record, goes_on, ..
    } in &mut found
    {
        let proof = proofs.get(record.key.proof_id().as_str());
        *goes_on = proof.is_some_and(|proof| {
            let root = record.spec.task_id == *proof.root;
            record.spec.run == proof.run && (root || !record.spec.root)
        });
    }
    found
}

/// What is to go unless its task is known to the leader of `epoch`: an earlier one wrote it after this one had looked. Objects of its own, and those that it had `seen`
/// when it began, are not among them: one that is over may be heard of late, as it was. Nor are failed tasks, which stay for people.
pub(super) fn strange(tasks: Vec<ProvingTask>, epoch: u64, seen: &HashSet<String>) -> Vec<Found> {
    let late = |task: &ProvingTask| {
        let earlier = object::epoch(task).is_some_and(|of| of < epoch);
        earlier && !task.uid().is_some_and(|uid| seen.contains(&uid))
    };
    let here = |task: &ProvingTask| task.metadata.deletion_timestamp.is_none();
    let counts = |task: &ProvingTask| here(task) && late(task);
    all(tasks.into_iter().filter(counts))
}

/// The objects of tasks that have not failed, none of which goes on yet.
fn all(tasks: impl IntoIterator<Item = ProvingTask>) -> Vec<Found> {
    let found = tasks.into_iter().filter_map(|task| {
        Some(Found {
            record: TaskRecord::of(&task)?,
            uid: task.metadata.uid,
            goes_on: false,
        })
    });
    found
        .filter(|found| found.record.status.state != TaskState::Failed)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::object::tests::{change, created};
    use super::*;
    use provost_coordinator::{ProofSpec, Root, TaskChangeKind};

    fn found(task: &str, root: bool, run: u32, state: TaskState) -> ProvingTask {
        let TaskChangeKind::Created { weight, .. } = created(root) else {
            unreachable!()
        };
        let kind = TaskChangeKind::Created { weight, root, run };
        let mut record = TaskRecord::new(&change(task, kind)).unwrap();
        record.status.state = state;
        record.object(1)
    }

    fn proof(id: &str) -> RecoveredProof {
        RecoveredProof {
            spec: ProofSpec {
                requester: "ns".into(),
                ..ProofSpec::new(id, Root::Prove)
            },
            run: 1,
            root: "root-1".into(),
            attempts: Default::default(),
            gpu_ms: 0,
            shards: None,
            succeeded: Default::default(),
            finished: false,
        }
    }

    #[test]
    fn only_what_belongs_to_the_present_run_goes_on() {
        use TaskState::{Failed, Pending, Running};
        let tasks = vec![
            found("root-0", true, 0, Running),
            found("root-1", true, 1, Running),
            found("old-child", false, 0, Running),
            found("child", false, 1, Running),
            found("waits", false, 1, Pending),
            found("failed", false, 1, Failed),
        ];
        let name = |found: &Found| (found.record.spec.task_id.clone(), found.goes_on);
        let sorted: Vec<_> = sort(tasks.clone(), &[proof("ns/fib/u1")])
            .iter()
            .map(name)
            .collect();
        let wanted = [
            ("root-0", false),
            ("root-1", true),
            ("old-child", false),
            ("child", true),
            ("waits", true),
        ];
        assert_eq!(sorted, wanted.map(|(id, go)| (id.to_owned(), go)));
        // Nothing goes on of a proof that has ended, or of another that had the same name.
        for others in [vec![], vec![proof("ns/fib/u2")]] {
            assert!(sort(tasks.clone(), &others).iter().all(|f| !f.goes_on));
        }
    }

    #[test]
    fn an_object_that_nobody_owns_is_left_alone() {
        let mut task = found("child", false, 1, TaskState::Running);
        task.metadata.owner_references = None;
        assert_eq!(sort(vec![task], &[proof("ns/fib/u1")]), []);
    }

    #[test]
    fn what_comes_late_of_an_earlier_leader_goes_but_failures() {
        let mut all = vec![
            found("child", false, 0, TaskState::Running),
            found("root", true, 0, TaskState::Running),
            found("failed", false, 0, TaskState::Failed),
        ];
        all[1].metadata.uid = Some("root's".into());
        let strange = |epoch, seen: &[&str]| {
            let seen = seen.iter().map(|uid| (*uid).to_owned()).collect();
            let found = strange(all.clone(), epoch, &seen);
            assert!(found.iter().all(|found| !found.goes_on));
            let ids = found.into_iter().map(|found| found.record.spec.task_id);
            ids.collect::<Vec<_>>()
        };
        assert!(strange(1, &[]).is_empty(), "its own");
        assert_eq!(strange(2, &[]), ["child", "root"], "of an earlier leader");
        assert_eq!(strange(2, &["root's"]), ["child"], "not late");
    }
}
