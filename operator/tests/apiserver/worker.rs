//! A worker that speaks the real protocol and proves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use provost_artifacts::id::{ProofTag, mint};
use provost_artifacts::{Kind, MemoryStore, Store, codec};
use provost_proto::worker::server_message::Message;
use provost_proto::worker::worker_service_client::WorkerServiceClient;
use provost_proto::worker::{
    CompleteProofRequest, CompleteTaskRequest, CreateTaskRequest, FailProofRequest,
    HeartbeatRequest, OpenRequest, TaskData, TaskType, WorkerTask, WorkerType,
};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::bench::{Bench, wait};

/// What the worker does with its tasks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Finishes them.
    Diligent,
    /// Never finishes, and lets go when told to.
    Slow,
    /// Never finishes, and never lets go.
    Stuck,
    /// Fails the proof as the program's fault.
    Faulty,
}

/// A worker of both roles. Gone when dropped.
pub struct Worker {
    _tasks: JoinSet<()>,
    seen: Arc<Mutex<Vec<TaskType>>>,
}

impl Worker {
    /// Registers as the worker of `pod`.
    pub async fn start(bench: &Bench, pod: &str, habit: Habit) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let done = Arc::<Mutex<BTreeSet<String>>>::default();
        let mut tasks = JoinSet::new();
        for (role, kind) in [("execute", WorkerType::Cpu), ("prove", WorkerType::Gpu)] {
            let role = Role {
                id: format!("{pod}/{role}"),
                client: WorkerServiceClient::connect(bench.grpc.clone())
                    .await
                    .unwrap(),
                store: bench.store.clone(),
                habit,
                active: Arc::default(),
                done: done.clone(),
                seen: seen.clone(),
            };
            let request = OpenRequest {
                worker_id: role.id.clone(),
                worker_type: kind.into(),
                max_weight: 24,
                ..Default::default()
            };
            let stream = role
                .client
                .clone()
                .open(request)
                .await
                .unwrap()
                .into_inner();
            tasks.spawn(role.clone().beat());
            tasks.spawn(role.work(stream));
        }
        Self {
            _tasks: tasks,
            seen,
        }
    }

    /// Types of the tasks that it was given.
    pub fn seen(&self) -> Vec<TaskType> {
        self.seen.lock().unwrap().clone()
    }
}

#[derive(Clone)]
struct Role {
    id: String,
    client: WorkerServiceClient<Channel>,
    store: Arc<MemoryStore>,
    habit: Habit,
    active: Arc<Mutex<BTreeMap<String, String>>>,
    done: Arc<Mutex<BTreeSet<String>>>,
    seen: Arc<Mutex<Vec<TaskType>>>,
}

impl Role {
    async fn beat(self) {
        loop {
            let (ids, proofs) = self.active.lock().unwrap().clone().into_iter().unzip();
            let request = HeartbeatRequest {
                worker_id: self.id.clone(),
                active_task_ids: ids,
                active_task_proof_ids: proofs,
                current_weight: 0,
            };
            if self.client.clone().heartbeat(request).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn work(self, mut stream: tonic::Streaming<provost_proto::worker::ServerMessage>) {
        let mut running = JoinSet::new();
        while let Ok(Some(message)) = stream.message().await {
            match message.message {
                Some(Message::NewTask(task)) => {
                    let data = task.data.as_ref().unwrap();
                    self.active
                        .lock()
                        .unwrap()
                        .insert(task.task_id.clone(), data.proof_id.clone());
                    self.seen.lock().unwrap().push(data.task_type());
                    running.spawn(self.clone().run(task));
                }
                Some(Message::CancelTask(cancel)) if self.habit != Habit::Stuck => {
                    self.active.lock().unwrap().remove(&cancel.task_id);
                }
                _ => {}
            }
        }
    }

    async fn run(self, task: WorkerTask) {
        let data = task.data.clone().unwrap();
        match self.habit {
            Habit::Slow | Habit::Stuck => return,
            Habit::Faulty => self.fail(&task, &data).await,
            Habit::Diligent => match data.task_type() {
                TaskType::ExecuteOnly => {
                    let extra = r#"{"cycles":42,"gas":7,"exit_code":3,"public_values_hash":"ab"}"#;
                    self.complete_proof(&data, extra).await;
                }
                TaskType::Controller => self.control(&task, &data).await,
                _ => {}
            },
        }
        let mut client = self.client.clone();
        let request = CompleteTaskRequest {
            worker_id: self.id.clone(),
            proof_id: data.proof_id.clone(),
            task_id: task.task_id.clone(),
            metadata: String::new(),
        };
        // The proof may have ended meanwhile.
        let _ = client.complete_task(request).await;
        self.done.lock().unwrap().insert(task.task_id.clone());
        self.active.lock().unwrap().remove(&task.task_id);
    }

    /// Reads the inputs, has two shards proved, leaves an intermediate artifact behind, and stores the proof.
    async fn control(&self, task: &WorkerTask, data: &TaskData) {
        codec::decode_bytes(
            &self
                .store
                .get(Kind::Program, &data.inputs[0])
                .await
                .unwrap(),
        )
        .unwrap();
        codec::decompress(&self.store.get(Kind::Stdin, &data.inputs[1]).await.unwrap()).unwrap();
        let mut children = Vec::new();
        for _ in 0..2 {
            let child = TaskData {
                task_type: TaskType::ProveShard.into(),
                proof_id: data.proof_id.clone(),
                parent_id: Some(task.task_id.clone()),
                ..TaskData::default()
            };
            let request = CreateTaskRequest {
                worker_id: self.id.clone(),
                data: Some(child),
            };
            let created = self.client.clone().create_task(request).await.unwrap();
            children.push(created.into_inner().task_id);
        }
        let leftover = mint(ProofTag::of(&data.proof_id), 1, 1);
        self.store
            .put(Kind::Artifact, &leftover, Bytes::from_static(b"leftover"))
            .await
            .unwrap();
        let proved = || {
            children
                .iter()
                .all(|id| self.done.lock().unwrap().contains(id))
        };
        wait("the shards", || async { proved().then_some(()) }).await;
        let proof = codec::compress(b"a proof").unwrap();
        self.store
            .put(Kind::Proof, &data.outputs[0], proof.into())
            .await
            .unwrap();
        self.complete_proof(data, r#"{"cycles":42,"exit_code":0,"vk_hash":"0x12"}"#)
            .await;
    }

    async fn complete_proof(&self, data: &TaskData, extra: &str) {
        let request = CompleteProofRequest {
            worker_id: self.id.clone(),
            proof_id: data.proof_id.clone(),
            extra_data: Some(extra.to_owned()),
        };
        // Repeated until it is acknowledged, as a real worker does.
        while self
            .client
            .clone()
            .complete_proof(request.clone())
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn fail(&self, task: &WorkerTask, data: &TaskData) {
        let extra = r#"{"class":"ProgramFault","task_type":"CONTROLLER","message":"the program ended with exit code 1"}"#;
        let request = FailProofRequest {
            worker_id: self.id.clone(),
            proof_id: data.proof_id.clone(),
            task_id: Some(task.task_id.clone()),
            extra_data: Some(extra.to_owned()),
        };
        self.client.clone().fail_proof(request).await.unwrap();
    }
}
