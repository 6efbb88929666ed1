//! A worker that speaks SP1's contract.

use std::sync::{Arc, Mutex};

use provost_proto::worker::server_message::Message;
use provost_proto::worker::{FailProofRequest, TaskStatus, TaskType, WorkerTask, WorkerType};

use tonic::Status;

use super::{Hand, Task, Worker};
use crate::node::{Caller, Node, Server, collect};

pub(crate) struct Unary {
    node: Node,
    hand: UnaryHand,
}

#[derive(Clone)]
pub(crate) struct UnaryHand {
    caller: Caller,
    /// What it runs: proofs and tasks.
    running: Arc<Mutex<Vec<(String, String)>>>,
}

impl Task for WorkerTask {
    fn proof(&self) -> &str {
        &self.data.as_ref().unwrap().proof_id
    }

    fn id(&self) -> &str {
        &self.task_id
    }

    fn kind(&self) -> TaskType {
        self.data.as_ref().unwrap().task_type()
    }

    fn inputs(&self) -> &[String] {
        &self.data.as_ref().unwrap().inputs
    }

    fn outputs(&self) -> &[String] {
        &self.data.as_ref().unwrap().outputs
    }
}

impl Worker for Unary {
    type Task = WorkerTask;
    type Hand = UnaryHand;

    async fn join(server: &Server, pod: &str, kind: WorkerType, weight: u32) -> Self {
        let node = server.worker(&format!("{pod}/all"), kind, weight).await;
        let hand = UnaryHand {
            caller: node.caller(),
            running: Arc::default(),
        };
        Self { node, hand }
    }

    async fn next(&mut self) -> Option<WorkerTask> {
        match self.node.next().await? {
            Message::NewTask(task) => {
                let name = (task.proof().to_owned(), task.task_id.clone());
                self.hand.running.lock().unwrap().push(name);
                Some(task)
            }
            other => panic!("a task, not {other:?}"),
        }
    }

    async fn told_to_stop(&mut self, task: &WorkerTask) {
        let Some(Message::CancelTask(cancel)) = self.node.next().await else {
            panic!("not told to stop")
        };
        assert_eq!(cancel.task_id, task.task_id);
    }

    fn hand(&self) -> UnaryHand {
        self.hand.clone()
    }
}

impl UnaryHand {
    fn runs_no_more(&self, task: &WorkerTask) {
        let mut running = self.running.lock().unwrap();
        running.retain(|(_, id)| *id != task.task_id);
    }
}

impl Hand for UnaryHand {
    type Task = WorkerTask;

    async fn complete(&self, task: WorkerTask) {
        self.runs_no_more(&task);
        let mut me = self.caller.clone();
        me.complete(task.proof(), &task.task_id).await.unwrap();
    }

    async fn fail(&self, task: WorkerTask, retryable: bool) {
        self.runs_no_more(&task);
        let mut me = self.caller.clone();
        let failed = me.fail(task.proof(), &task.task_id, retryable).await;
        failed.unwrap();
    }

    async fn stopped(&self, task: WorkerTask) {
        self.runs_no_more(&task);
        // The contract has no word for it: the worker's beats name the task no more.
        self.beat().await;
    }

    async fn beat(&self) {
        let running = self.running.lock().unwrap().clone();
        let running: Vec<_> = running
            .iter()
            .map(|(proof, task)| (proof.as_str(), task.as_str()))
            .collect();
        self.caller.clone().beat(&running).await.unwrap();
    }

    async fn create(&self, parent: &WorkerTask, kind: TaskType) -> String {
        let mut me = self.caller.clone();
        me.create(parent.proof(), kind, None).await.unwrap()
    }

    async fn complete_marker(&self, of: &WorkerTask, marker: &str) {
        let mut me = self.caller.clone();
        me.complete(of.proof(), marker).await.unwrap();
    }

    async fn results(&self, parent: &WorkerTask, tasks: &[String]) -> Vec<TaskStatus> {
        let results = self.caller.clone().wait(parent.proof(), tasks).await;
        tasks.iter().map(|task| results[task]).collect()
    }

    async fn say(&self, task: &WorkerTask, payload: &[u8]) {
        let mut me = self.caller.clone();
        me.send(&task.task_id, payload).await.unwrap();
    }

    async fn hear(
        &self,
        _parent: &WorkerTask,
        channel: &str,
        from: u64,
    ) -> Result<Vec<Vec<u8>>, String> {
        let heard = async {
            let messages = self.caller.clone().messages(channel, from).await?;
            collect(messages).await
        };
        heard.await.map_err(|status: Status| status.to_string())
    }

    async fn conclude(&self, root: &WorkerTask, extra: &str) {
        let mut me = self.caller.clone();
        me.complete_proof(root.proof(), extra).await.unwrap();
    }

    async fn give_up(&self, root: &WorkerTask, extra: &str) {
        let request = FailProofRequest {
            worker_id: self.caller.worker.clone(),
            proof_id: root.proof().to_owned(),
            task_id: None,
            extra_data: Some(extra.to_owned()),
        };
        let mut client = self.caller.client.clone();
        client.fail_proof(request).await.unwrap();
    }
}
