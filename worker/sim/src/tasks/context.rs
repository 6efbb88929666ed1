//! What a running task has at hand.

use std::sync::Arc;

use provost_artifacts::{Kind, codec};
use provost_link::{Order, TaskData, TaskType};
use provost_scheduler::retry::FailureClass;
use tokio_util::sync::CancellationToken;

use super::Bench;
use crate::artifacts::Artifacts;
use crate::coordinator::Client;
use crate::failure::TaskError;
use crate::faults::{Action, Fault, Point, Site};
use crate::profile::{Overrides, Plan, Profile, Work};
use crate::random::{Random, unique};

/// A task that runs, and all that it may do.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) artifacts: Artifacts,
    pub(super) kind: TaskType,
    pub(super) task_id: String,
    pub(super) proof: String,
    pub(super) data: TaskData,
    profile: Arc<Profile>,
}

impl Context {
    /// For a task whose calls to the store end when `waits` is cancelled.
    pub(super) fn new(
        client: Client,
        bench: Bench,
        order: &Order,
        waits: CancellationToken,
    ) -> Self {
        let (body, data) = (client.body().clone(), order.data.clone());
        let (kind, store) = (data.task_type(), bench.store);
        Self {
            client,
            artifacts: Artifacts::new(store, body, kind, &data.proof_id, waits),
            kind,
            task_id: order.task_id.clone(),
            proof: data.proof_id.clone(),
            data,
            profile: bench.profile,
        }
    }

    /// The task has come to a point of its life: the faults that strike there do.
    pub(super) async fn reach(&self, point: Point) -> Result<(), TaskError> {
        let body = self.client.body();
        let site = Site::Task(self.kind, point);
        for fault in body.faults.reach(&body.name, site) {
            body.strike(&fault);
            self.suffer(&fault).await?;
        }
        Ok(())
    }

    async fn suffer(&self, fault: &Fault) -> Result<(), TaskError> {
        let message = |what: &str| fault.message.clone().unwrap_or_else(|| what.to_owned());
        match fault.action {
            // The worker is gone and this task with it: nothing more may come of it.
            Action::Crash | Action::Hang => std::future::pending().await,
            Action::Delay => {
                let most = fault.duration().unwrap_or_default();
                tokio::time::sleep(most.mul_f64(Random::new(unique()).unit())).await;
                Ok(())
            }
            Action::Wait => {
                tokio::time::sleep(fault.duration().unwrap_or_default()).await;
                Ok(())
            }
            Action::Fail => Err(TaskError::Own {
                class: fault.class.unwrap_or(FailureClass::Transient),
                message: message("told to fail"),
                retryable: fault.retryable,
            }),
            Action::Panic => {
                let message = format!("panic: {}", message("told to"));
                Err(TaskError::own(FailureClass::Bug, message))
            }
            _ => Ok(()),
        }
    }

    /// Reads the proof's stdin, and makes the plan that it and the profile lead to.
    pub(super) async fn plan(&self, stdin: &str, private: bool) -> Result<Plan, TaskError> {
        let kind = match private {
            true => Kind::PrivateStdin,
            false => Kind::Stdin,
        };
        let stdin = self.artifacts.get(kind, stdin).await?;
        let hints = codec::decode_stdin(&stdin).map(|parts| parts.hints);
        let first = hints.ok().and_then(|hints| hints.first().copied());
        let overrides = first.and_then(Overrides::from_hint).transpose();
        overrides
            .and_then(|overrides| self.profile.plan(&self.proof, overrides.as_ref()))
            .map_err(|error| TaskError::program(format!("the stdin's sim options: {error}")))
    }

    /// What this task does, by its creator's word; a creator that says nothing gets what the profile has.
    pub(super) fn work(&self) -> Result<Work, TaskError> {
        if let Some(work) = Work::from_metadata(&self.data.metadata) {
            return Ok(work);
        }
        let plan = self.profile.plan(&self.proof, None);
        let plan = plan.map_err(|error| TaskError::own(FailureClass::Bug, error.to_string()))?;
        Ok(plan.work(self.kind, 0))
    }

    /// Creates a task of the same proof, with this one as its parent.
    pub(super) async fn create(
        &self,
        kind: TaskType,
        inputs: Vec<String>,
        outputs: Vec<String>,
        work: Work,
    ) -> String {
        let data = TaskData {
            inputs,
            outputs,
            metadata: work.to_metadata(),
            parent_id: Some(self.task_id.clone()),
            ..self.child(kind)
        };
        self.client.create(data).await
    }

    /// Creates a marker, which has no parent: SP1 gives it none.
    pub(super) async fn create_marker(&self) -> String {
        let data = self.child(TaskType::MarkerDeferredRecord);
        self.client.create(data).await
    }

    fn child(&self, kind: TaskType) -> TaskData {
        TaskData {
            task_type: kind.into(),
            proof_id: self.proof.clone(),
            requester: self.data.requester.clone(),
            ..TaskData::default()
        }
    }

    /// Fails unless a task of the same proof succeeds.
    pub(super) async fn succeeded(&self, kind: TaskType, task: &str) -> Result<(), TaskError> {
        match self.client.succeeds(task).await {
            true => Ok(()),
            false => Err(TaskError::Child(format!("{} {task}", kind.as_str_name()))),
        }
    }
}
