//! How a running task creates others, waits for them and passes messages.

use std::sync::Arc;

use provost_link::{Ended, Link, Run};
use provost_proto::worker::TaskData;
use sp1_prover::worker::{
    ProofId, RawTaskRequest, SubscriberBuilder, TaskId, TaskMetadata, WorkerClient,
};
use sp1_prover_types::{ProofRequestStatus, TaskType};
use tokio::sync::mpsc;

use super::{messages, results};
use crate::engine::Parts;

/// SP1's `WorkerClient`: a cheap handle on the process's link.
#[derive(Clone)]
pub struct Client {
    link: Link,
    run: Option<Run>,
    /// Held by every clone, and so by whatever works with one.
    _part: Option<Arc<()>>,
}

impl Client {
    /// A client for tasks of any proof. It speaks of the latest run of a proof that this process has a task of.
    pub fn new(link: Link) -> Self {
        Self {
            link,
            run: None,
            _part: None,
        }
    }

    /// A client that speaks of this run alone.
    pub fn bound(&self, run: Run) -> Self {
        Self {
            link: self.link.clone(),
            run: Some(run),
            _part: None,
        }
    }

    /// The same, where `parts` are to know who works with it.
    pub fn held_by(&self, parts: &Parts) -> Self {
        let part = Arc::new(());
        parts.add(&part);
        Self {
            _part: Some(part),
            ..self.clone()
        }
    }

    /// The link.
    pub fn link(&self) -> &Link {
        &self.link
    }

    fn run_of(&self, proof_id: &str) -> anyhow::Result<Run> {
        self.run
            .clone()
            .or_else(|| self.link.run_of(proof_id))
            .ok_or_else(|| anyhow::anyhow!("proof {proof_id} has ended"))
    }

    /// The run of calls that name a task alone. Only tasks that have a client of their own make those.
    fn own_run(&self) -> anyhow::Result<Run> {
        self.run
            .clone()
            .ok_or_else(|| anyhow::anyhow!("a channel was used by a task of no run"))
    }
}

impl WorkerClient for Client {
    async fn submit_task(&self, kind: TaskType, task: RawTaskRequest) -> anyhow::Result<TaskId> {
        let RawTaskRequest {
            inputs,
            outputs,
            context,
        } = task;
        let proof_id = context.proof_id.to_string();
        let run = self.run_of(&proof_id)?;
        let names = |artifacts: Vec<sp1_prover_types::Artifact>| {
            artifacts.into_iter().map(|artifact| artifact.0).collect()
        };
        let data = TaskData {
            task_type: kind as i32,
            inputs: names(inputs),
            outputs: names(outputs),
            metadata: String::new(),
            proof_id,
            parent_id: context.parent_id.map(|id| id.to_string()),
            weight: 0,
            requester: context.requester_id.to_string(),
        };
        Ok(TaskId::new(self.link.create(&run, data)))
    }

    /// SP1 calls this for markers alone; the tasks that a worker runs end with its orders.
    async fn complete_task(
        &self,
        proof_id: ProofId,
        task_id: TaskId,
        _metadata: TaskMetadata,
    ) -> anyhow::Result<()> {
        let run = self.run_of(&proof_id.to_string())?;
        self.link.complete_marker(&run, task_id.to_string());
        Ok(())
    }

    /// Returns when the end of the proof is stored.
    async fn complete_proof(
        &self,
        proof_id: ProofId,
        task_id: Option<TaskId>,
        status: ProofRequestStatus,
        extra_data: impl Into<String> + Send,
    ) -> anyhow::Result<()> {
        let run = self.run_of(&proof_id.to_string())?;
        let root = task_id.map(|id| id.to_string()).unwrap_or_default();
        let failed = status != ProofRequestStatus::Completed;
        match self.link.conclude(&run, root, failed, extra_data).await {
            Ok(()) => Ok(()),
            Err(Ended::RunOver { .. }) => {
                tracing::info!(%run, "the proof ended, and nobody asks for it any more");
                Ok(())
            }
            Err(ended) => Err(ended.into()),
        }
    }

    async fn subscriber(&self, proof_id: ProofId) -> anyhow::Result<SubscriberBuilder<Self>> {
        let (wanted_tx, wanted_rx) = mpsc::unbounded_channel();
        let (results_tx, results_rx) = mpsc::unbounded_channel();
        let watcher = self.link.watch(&self.run_of(&proof_id.to_string())?);
        tokio::spawn(results::deliver(watcher, wanted_rx, results_tx));
        Ok(SubscriberBuilder::new(self.clone(), wanted_tx, results_rx))
    }

    async fn subscribe_task_messages(
        &self,
        task_id: &TaskId,
    ) -> anyhow::Result<mpsc::UnboundedReceiver<Vec<u8>>> {
        let (tx, rx) = mpsc::unbounded_channel();
        let listener = self.link.listen(&self.own_run()?, task_id.to_string(), 0);
        tokio::spawn(messages::deliver(listener, tx));
        Ok(rx)
    }

    async fn send_task_message(&self, task_id: &TaskId, payload: Vec<u8>) -> anyhow::Result<()> {
        self.link
            .say(&self.own_run()?, task_id.to_string(), payload);
        Ok(())
    }
}
