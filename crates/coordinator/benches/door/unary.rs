//! Load by the unary door, and by the floor below it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use provost_proto::headers;
use provost_proto::worker as wire;
use provost_proto::worker::worker_service_client::WorkerServiceClient;
use provost_proto::worker::{WorkerType, server_message, server_sub_message};
use tokio::sync::{Semaphore, mpsc};
use tonic::Request;
use tonic::transport::Channel;

use crate::native::task_data;
use crate::report::Sample;
use crate::server::Server;
use crate::{Load, PROOF};

type Client = WorkerServiceClient<Channel>;

async fn open(
    client: &mut Client,
    id: &str,
    kind: WorkerType,
    weight: u32,
) -> tonic::Streaming<wire::ServerMessage> {
    let request = wire::OpenRequest {
        worker_id: id.to_owned(),
        worker_type: kind.into(),
        max_weight: weight,
        ..wire::OpenRequest::default()
    };
    client.open(request).await.unwrap().into_inner()
}

pub(crate) async fn drive(server: &Server, load: Load) -> Sample {
    let connect = || WorkerServiceClient::connect(server.address.clone());
    // By the outputs: the floor gives other names than were asked for.
    let created: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let delays: Arc<Mutex<Vec<_>>> = Arc::default();
    for n in 0..load.workers {
        let (created, delays) = (created.clone(), delays.clone());
        let mut client = connect().await.unwrap();
        let id = format!("w{n}/prove");
        let weight = u32::try_from(load.window).unwrap();
        let mut stream = open(&mut client, &id, WorkerType::Gpu, weight).await;
        tokio::spawn(async move {
            while let Ok(Some(message)) = stream.message().await {
                let Some(server_message::Message::NewTask(task)) = message.message else {
                    continue;
                };
                let tag = task.data.map(|data| data.metadata).unwrap_or_default();
                if let Some(at) = created.lock().unwrap().remove(&tag) {
                    delays.lock().unwrap().push(at.elapsed());
                }
                let (mut client, worker_id) = (client.clone(), id.clone());
                tokio::spawn(async move {
                    let request = wire::CompleteTaskRequest {
                        worker_id,
                        proof_id: PROOF.to_owned(),
                        task_id: task.task_id,
                        metadata: "{}".to_owned(),
                    };
                    let _ = client.complete_task(request).await;
                });
            }
        });
    }
    let mut client = connect().await.unwrap();
    let mut root = open(&mut client, "driver/execute", WorkerType::Cpu, 64).await;
    root.message().await.unwrap().unwrap();
    let request = wire::OpenSubRequest {
        sub_id: "driver".to_owned(),
        proof_id: PROOF.to_owned(),
        task_ids: Vec::new(),
    };
    let mut sub = client.open_sub(request).await.unwrap().into_inner();
    let free = Arc::new(Semaphore::new(load.workers * load.window));
    let done = Arc::new(AtomicU64::new(0));
    // Results that are there: each makes room for another task. Acknowledged in a bunch, by one call each.
    let acks = client.clone();
    let (counted, room) = (done.clone(), free.clone());
    tokio::spawn(async move {
        let (sender, mut queue) = mpsc::unbounded_channel::<String>();
        let mut acker = acks.clone();
        tokio::spawn(async move {
            while let Some(msg_id) = queue.recv().await {
                let sub_id = "driver".to_owned();
                let _ = acker.ack_sub(wire::AckSubRequest { sub_id, msg_id }).await;
            }
        });
        while let Ok(Some(message)) = sub.message().await {
            if let Some(server_sub_message::Message::TaskResult(_)) = message.message {
                counted.fetch_add(1, Ordering::Relaxed);
                room.add_permits(1);
                let _ = sender.send(message.msg_id);
            }
        }
    });
    let stop = Arc::new(AtomicBool::new(false));
    let (start, cpu) = (Instant::now(), server.cpu());
    let mut number = 0u64;
    while start.elapsed() < load.seconds {
        free.acquire().await.unwrap().forget();
        number += 1;
        let tag = number.to_string();
        let (mut client, created, stop) = (client.clone(), created.clone(), stop.clone());
        tokio::spawn(async move {
            let id = format!("task_{number:026}");
            let data = wire::TaskData {
                metadata: tag.clone(),
                ..task_data()
            };
            let mut request = Request::new(wire::CreateTaskRequest {
                worker_id: "driver/execute".to_owned(),
                data: Some(data),
            });
            request
                .metadata_mut()
                .insert(headers::TASK_ID, id.parse().unwrap());
            created.lock().unwrap().insert(tag, Instant::now());
            let answer = client.create_task(request).await;
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let task_ids = vec![answer.unwrap().into_inner().task_id];
            let sub_id = "driver".to_owned();
            let _ = client
                .update_sub(wire::UpdateSubRequest { sub_id, task_ids })
                .await;
        });
    }
    stop.store(true, Ordering::Relaxed);
    let (took, cpu) = (start.elapsed(), server.cpu() - cpu);
    let delays = std::mem::take(&mut *delays.lock().unwrap());
    Sample {
        tasks: done.load(Ordering::Relaxed),
        took,
        cpu,
        delays,
    }
}
