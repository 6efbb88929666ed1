//! A task as a ProvingTask object. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::{Resource, ResourceExt};
use provost_coordinator::{Clock, Failure, RunStart, TaskChange, TaskChangeKind, task_name};
use provost_crds::{
    FailureClass, PROOF_LABEL, ProofRequest, ProvingTask, ProvingTaskSpec, ProvingTaskStatus,
    TaskState,
};
use sha2::{Digest, Sha256};

use super::{attempts, shards};
use crate::key::ProofKey;

/// Marks the tasks that stand for a whole proof, for people.
const ROOT_LABEL: &str = "provost.dev/root";
/// The epoch of the leader that made the object, for people who follow a change of leaders, and for those leaders.
const EPOCH_ANNOTATION: &str = "provost.dev/epoch";
/// Longest message of a task, in characters.
const MAX_MESSAGE: usize = 4096;
/// Characters of the task's id in the object's name.
const SUFFIX: usize = 10;

/// An object on the API server, by what its end means for a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskObject {
    /// Uid of the object.
    pub uid: String,
    /// Id of the task between coordinator and workers.
    pub task: String,
    /// The request that owns it.
    pub proof: ProofKey,
}

impl TaskObject {
    /// `None` for an object that no leader makes.
    pub fn of(task: ProvingTask) -> Option<Self> {
        let named = !task.spec.task_id.is_empty();
        named.then_some(Self {
            proof: ProofKey::of_task(&task)?,
            uid: task.metadata.uid?,
            task: task.spec.task_id,
        })
    }
}

/// What is known of a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TaskRecord {
    pub(super) key: ProofKey,
    pub(super) spec: ProvingTaskSpec,
    pub(super) status: ProvingTaskStatus,
}

impl TaskRecord {
    /// The record of a new task; `None` unless `change` is its creation and its proof is a ProofRequest.
    pub(super) fn new(change: &TaskChange) -> Option<Self> {
        let TaskChangeKind::Created { weight, root, run } = change.kind else {
            return None;
        };
        let key = ProofKey::parse(&change.proof)?;
        let spec = ProvingTaskSpec {
            proof: key.name.clone(),
            task_id: change.task.to_string(),
            task_type: task_name(change.task_type).to_owned(),
            weight,
            root,
            run,
            failed_attempts: BTreeMap::new(),
            shard_size: None,
        };
        Some(Self {
            key,
            spec,
            status: ProvingTaskStatus::default(),
        })
    }

    /// The record of a proof's root task that no worker has seen yet.
    pub(super) fn root(key: ProofKey, start: &RunStart, weight: u32) -> Self {
        let spec = ProvingTaskSpec {
            proof: key.name.clone(),
            task_id: start.root.to_string(),
            task_type: task_name(start.root_type).to_owned(),
            weight,
            root: true,
            run: start.run,
            failed_attempts: attempts::stored(&start.attempts),
            shard_size: start.shards.map(shards::stored),
        };
        Self {
            key,
            spec,
            status: ProvingTaskStatus::default(),
        }
    }

    /// The record of a task that an earlier leader wrote down; `None` for an object that no leader makes.
    pub(super) fn of(object: &ProvingTask) -> Option<Self> {
        let record = Self {
            key: ProofKey::of_task(object)?,
            spec: object.spec.clone(),
            status: object.status.clone().unwrap_or_default(),
        };
        let ours = object.metadata.name.as_deref() == Some(&record.name());
        ours.then_some(record)
    }

    /// Nobody has it, after all.
    pub(super) fn let_go(&mut self) {
        self.status.state = TaskState::Pending;
        (self.status.worker, self.status.started_at) = (None, None);
    }

    /// Follows a change other than creation.
    pub(super) fn follow(&mut self, change: &TaskChange) {
        let status = &mut self.status;
        match &change.kind {
            TaskChangeKind::Created { .. } | TaskChangeKind::Dropped => {}
            TaskChangeKind::Assigned { worker, attempt } => {
                // A new leader finds it where the last one had put it.
                let goes_on = status.state == TaskState::Running
                    && status.attempts == *attempt
                    && status.worker.as_deref() == Some(&**worker);
                if !goes_on {
                    status.state = TaskState::Running;
                    status.worker = Some(worker.to_string());
                    status.attempts = *attempt;
                    status.started_at = time(change.at);
                }
            }
            TaskChangeKind::Requeued { failure, .. } => {
                status.state = TaskState::Pending;
                note(status, failure);
            }
            TaskChangeKind::Recalled => self.let_go(),
            TaskChangeKind::Succeeded { .. } => {
                status.state = TaskState::Succeeded;
                status.finished_at = time(change.at);
            }
            TaskChangeKind::Failed(failure) => {
                status.state = TaskState::Failed;
                status.finished_at = time(change.at);
                note(status, failure);
            }
        }
    }

    /// Whether nothing more happens to the task.
    pub(super) fn ended(&self) -> bool {
        matches!(self.status.state, TaskState::Succeeded | TaskState::Failed)
    }

    /// Name of the object: proof, type and the random end of the task's id.
    pub(super) fn name(&self) -> String {
        let id = &self.spec.task_id;
        let suffix = match id.len().checked_sub(SUFFIX).and_then(|at| id.get(at..)) {
            Some(end)
                if end
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) =>
            {
                end.to_owned()
            }
            _ => hex::encode(&Sha256::digest(id)[..SUFFIX / 2]),
        };
        format!(
            "{}-{}-{suffix}",
            self.spec.proof,
            self.spec.task_type.to_lowercase()
        )
    }

    /// The object to create, its status included, by the leader of an epoch. It goes with its ProofRequest.
    pub(super) fn object(&self, epoch: u64) -> ProvingTask {
        let mut task = ProvingTask::new(&self.name(), self.spec.clone());
        task.status = Some(self.status.clone());
        let mut labels = BTreeMap::from([
            (PROOF_LABEL.to_owned(), self.spec.proof.clone()),
            ("app.kubernetes.io/part-of".to_owned(), "provost".to_owned()),
            (
                "app.kubernetes.io/managed-by".to_owned(),
                "provost-operator".to_owned(),
            ),
        ]);
        if self.spec.root {
            labels.insert(ROOT_LABEL.to_owned(), "true".to_owned());
        }
        task.metadata = ObjectMeta {
            namespace: Some(self.key.namespace.clone()),
            labels: Some(labels),
            annotations: Some(BTreeMap::from([(
                EPOCH_ANNOTATION.to_owned(),
                epoch.to_string(),
            )])),
            owner_references: Some(vec![OwnerReference {
                api_version: ProofRequest::api_version(&()).into_owned(),
                kind: ProofRequest::kind(&()).into_owned(),
                name: self.key.name.clone(),
                uid: self.key.uid.clone(),
                controller: Some(true),
                block_owner_deletion: Some(true),
            }]),
            ..task.metadata
        };
        task
    }
}

/// The epoch of the leader that made an object.
pub(super) fn epoch(object: &ProvingTask) -> Option<u64> {
    object.annotations().get(EPOCH_ANNOTATION)?.parse().ok()
}

/// The API's class of the coordinator's.
pub(super) fn class(class: provost_coordinator::FailureClass) -> FailureClass {
    // Both lists have the same names; a test holds them together.
    class.reason().parse().unwrap_or(FailureClass::Bug)
}

fn note(status: &mut ProvingTaskStatus, failure: &Failure) {
    status.failure_class = Some(class(failure.class));
    status.message = Some(failure.message.chars().take(MAX_MESSAGE).collect());
}

fn time(at: i64) -> Option<Time> {
    let at = Clock::of_process().wall(at);
    Timestamp::from_millisecond(at).ok().map(Time)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use provost_coordinator::WorkerId;
    use provost_proto::worker::TaskType;

    pub(in crate::state) fn change(task: &str, kind: TaskChangeKind) -> TaskChange {
        TaskChange {
            proof: "ns/fib/u1".into(),
            task: task.into(),
            task_type: TaskType::ProveShard,
            at: 1000,
            kind,
        }
    }

    pub(in crate::state) fn created(root: bool) -> TaskChangeKind {
        TaskChangeKind::Created {
            weight: 4,
            root,
            run: 0,
        }
    }

    pub(in crate::state) fn assigned() -> TaskChangeKind {
        TaskChangeKind::Assigned {
            worker: WorkerId::from("w-1/prove"),
            attempt: 1,
        }
    }

    pub(in crate::state) fn requeued() -> TaskChangeKind {
        TaskChangeKind::Requeued {
            failure: Failure::new(provost_coordinator::FailureClass::OutOfMemory, "pool small"),
            not_before: 0,
        }
    }

    #[test]
    fn classes_are_the_same_on_both_sides() {
        for theirs in provost_coordinator::FailureClass::ALL {
            assert_eq!(class(theirs).as_str(), theirs.reason());
        }
    }

    #[test]
    fn a_task_through_its_life() {
        let id = "task_01h455vb4pex5vsknk084sn02q";
        let mut record = TaskRecord::new(&change(id, created(false))).unwrap();
        assert_eq!(
            record.name(),
            format!("fib-proveshard-{}", &id[id.len() - 10..])
        );
        record.follow(&change(id, assigned()));
        assert_eq!(
            (record.status.state, record.status.attempts),
            (TaskState::Running, 1)
        );
        record.follow(&change(id, requeued()));
        assert_eq!(record.status.failure_class, Some(FailureClass::OutOfMemory));
        assert!(!record.ended());
        record.follow(&change(
            id,
            TaskChangeKind::Succeeded {
                metadata: String::new(),
                gpu_ms: 0,
            },
        ));
        assert!(record.ended());
        let object = record.object(3);
        assert_eq!(object.metadata.owner_references.unwrap()[0].uid, "u1");
    }

    #[test]
    fn odd_ids_still_make_names() {
        let record = TaskRecord::new(&change("STOCK_7", created(true))).unwrap();
        let name = record.name();
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
            "{name}"
        );
    }

    #[test]
    fn a_stock_clients_proof_has_no_objects() {
        let mut change = change("t", created(true));
        change.proof = "cli_123".into();
        assert_eq!(TaskRecord::new(&change), None);
    }
}
