//! By unary calls, as stock nodes do: a connection for each worker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use provost_proto::worker as wire;
use provost_proto::worker::worker_service_client::WorkerServiceClient;
use provost_proto::worker::{WorkerType, server_message};
use tokio::task::JoinSet;
use tonic::Streaming;
use tonic::transport::Channel;

use super::{BEAT, FleetSpec, Root, Tally, task_data};

type Client = WorkerServiceClient<Channel>;

/// The worker that the driver is.
const DRIVER: &str = "driver/execute";

/// Creates tasks.
pub(super) struct Driver {
    client: Client,
    roots: Vec<Root>,
    tally: Arc<Tally>,
    _workers: JoinSet<()>,
}

/// Tasks that a worker has, with their proofs.
type Active = Arc<Mutex<BTreeMap<String, String>>>;

#[derive(Clone)]
struct Worker {
    id: String,
    client: Client,
    active: Active,
    tally: Arc<Tally>,
}

pub(super) async fn connect(spec: &FleetSpec, tally: &Arc<Tally>) -> anyhow::Result<Driver> {
    let mut tasks = JoinSet::new();
    for number in 0..spec.workers {
        let id = format!("w{number}/prove");
        let (worker, stream) = open(spec, id, WorkerType::Gpu, spec.capacity(), tally).await?;
        tasks.spawn(worker.clone().beat(beat_offset(number, spec.workers)));
        tasks.spawn(worker.work(stream));
    }
    let (driver, mut stream) = open(spec, DRIVER.into(), WorkerType::Cpu, 1 << 16, tally).await?;
    let mut roots = Vec::new();
    while roots.len() < spec.proofs {
        let message = stream
            .message()
            .await?
            .context("the stream ended before all roots came")?;
        if let Some(server_message::Message::NewTask(task)) = message.message {
            let proof = task.data.unwrap_or_default().proof_id;
            driver.set_active(&task.task_id, Some(&proof));
            roots.push(Root {
                proof,
                task: task.task_id,
                run: 0,
            });
        }
    }
    let client = driver.client.clone();
    tasks.spawn(driver.beat(Duration::ZERO));
    // Read on: a stream that nobody reads fills up.
    tasks.spawn(async move { while let Ok(Some(_)) = stream.message().await {} });
    Ok(Driver {
        client,
        roots,
        tally: tally.clone(),
        _workers: tasks,
    })
}

async fn open(
    spec: &FleetSpec,
    id: String,
    kind: WorkerType,
    max_weight: u32,
    tally: &Arc<Tally>,
) -> anyhow::Result<(Worker, Streaming<wire::ServerMessage>)> {
    let mut client = WorkerServiceClient::connect(spec.address.clone()).await?;
    let request = wire::OpenRequest {
        worker_id: id.clone(),
        worker_type: kind.into(),
        max_weight,
        ..wire::OpenRequest::default()
    };
    let stream = client.open(request).await?.into_inner();
    let worker = Worker {
        id,
        client,
        active: Active::default(),
        tally: tally.clone(),
    };
    Ok((worker, stream))
}

/// Spreads the beats of many workers evenly.
fn beat_offset(number: usize, of: usize) -> Duration {
    BEAT.mul_f64(number as f64 / of.max(1) as f64)
}

impl Worker {
    fn set_active(&self, task: &str, proof: Option<&str>) {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        match proof {
            Some(proof) => active.insert(task.to_owned(), proof.to_owned()),
            None => active.remove(task),
        };
    }

    async fn beat(mut self, offset: Duration) {
        tokio::time::sleep(offset).await;
        loop {
            let active = self
                .active
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let (active_task_ids, active_task_proof_ids) = active.into_iter().unzip();
            let request = wire::HeartbeatRequest {
                worker_id: self.id.clone(),
                active_task_ids,
                active_task_proof_ids,
                current_weight: 0,
            };
            if self.client.heartbeat(request).await.is_err() {
                self.tally.refused();
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    async fn work(self, mut stream: Streaming<wire::ServerMessage>) {
        let mut running = JoinSet::new();
        while let Ok(Some(message)) = stream.message().await {
            if let Some(server_message::Message::NewTask(task)) = message.message {
                let data = task.data.unwrap_or_default();
                self.tally.delivered(&data.metadata);
                self.set_active(&task.task_id, Some(&data.proof_id));
                running.spawn(self.clone().run(task.task_id, data.proof_id));
            }
            while running.try_join_next().is_some() {}
        }
    }

    async fn run(mut self, task_id: String, proof_id: String) {
        tokio::time::sleep(self.tally.task_time()).await;
        let request = wire::CompleteTaskRequest {
            worker_id: self.id.clone(),
            proof_id,
            task_id: task_id.clone(),
            metadata: "{}".to_owned(),
        };
        let answer = self.client.complete_task(request).await;
        self.set_active(&task_id, None);
        match answer {
            Ok(_) => self.tally.done(1),
            Err(_) => self.tally.refused(),
        }
    }
}

impl Driver {
    pub(super) fn create(&self, number: u64, due: Option<Instant>) {
        let Some(root) = pick(&self.roots, number) else {
            return;
        };
        let request = wire::CreateTaskRequest {
            worker_id: DRIVER.to_owned(),
            data: Some(task_data(root, due)),
        };
        let (mut client, tally) = (self.client.clone(), self.tally.clone());
        tokio::spawn(async move {
            if client.create_task(request).await.is_err() {
                tally.refused();
            }
        });
    }
}

/// The roots take turns.
pub(super) fn pick(roots: &[Root], number: u64) -> Option<&Root> {
    let at = usize::try_from(number).unwrap_or(0) % roots.len().max(1);
    roots.get(at)
}
