//! Load by the native door.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use provost_proto::link::down_message::Message as Down;
use provost_proto::link::link_client::LinkClient;
use provost_proto::link::up_message::Message as Up;
use provost_proto::link::{self as wire, UpMessage};
use provost_proto::worker::{TaskData, TaskType, WorkerType};
use tokio::sync::mpsc;
use tonic::Streaming;

use crate::report::Sample;
use crate::server::Server;
use crate::{Load, PROOF};

type Created = Arc<Mutex<HashMap<String, Instant>>>;

/// One stream: what is said in one go is one frame.
struct Stream {
    up: mpsc::UnboundedSender<wire::Up>,
    down: Streaming<wire::Down>,
}

fn run() -> wire::Run {
    wire::Run {
        proof_id: PROOF.to_owned(),
        run: 0,
    }
}

impl Stream {
    async fn join(address: &str, pod: &str, role: &str, class: WorkerType, weight: u32) -> Self {
        let mut client = LinkClient::connect(address.to_owned()).await.unwrap();
        let (up, queue) = mpsc::unbounded_channel();
        let frames = futures::stream::unfold(queue, |mut queue| async {
            let next: Option<wire::Up> = queue.recv().await;
            next.map(|frame| (frame, queue))
        });
        let down = client.join(frames).await.unwrap().into_inner();
        let this = Self { up, down };
        let hello = wire::Hello {
            pod: pod.to_owned(),
            ..wire::Hello::default()
        };
        let role = wire::Role {
            name: role.to_owned(),
            class: class.into(),
            max_weight: weight,
            provers: 0,
            device: None,
            shard_elements: 0,
        };
        let report = wire::Report {
            last: true,
            ..wire::Report::default()
        };
        this.say(vec![Up::Hello(hello), Up::Role(role)]);
        this.say(vec![Up::Report(report)]);
        this
    }

    fn say(&self, messages: Vec<Up>) {
        let messages = messages.into_iter().map(|message| UpMessage {
            message: Some(message),
        });
        let messages = messages.collect();
        let _ = self.up.send(wire::Up { messages });
    }

    async fn hear(&mut self) -> Option<Vec<Down>> {
        let frame = self.down.message().await.ok()??;
        Some(
            frame
                .messages
                .into_iter()
                .filter_map(|m| m.message)
                .collect(),
        )
    }
}

/// Completes whatever comes.
async fn work(mut stream: Stream, created: Created, delays: mpsc::UnboundedSender<Vec<Duration>>) {
    while let Some(messages) = stream.hear().await {
        let now = Instant::now();
        let assigns: Vec<_> = messages
            .into_iter()
            .filter_map(|message| match message {
                Down::Assign(assign) => Some(assign),
                _ => None,
            })
            .collect();
        let waited = {
            let created = created.lock().unwrap();
            let at = assigns.iter().filter_map(|a| created.get(&a.task_id));
            at.map(|at| now - *at).collect()
        };
        let _ = delays.send(waited);
        let done = assigns.into_iter().map(|assign| {
            Up::Done(wire::Done {
                run: Some(run()),
                task_id: assign.task_id,
                attempt: assign.attempt,
                role: assign.role,
                outcome: Some(wire::done::Outcome::Completed("{}".to_owned())),
            })
        });
        let done: Vec<_> = done.collect();
        if !done.is_empty() {
            stream.say(done);
        }
    }
}

pub(crate) async fn drive(server: &Server, load: Load) -> Sample {
    let address = &server.address;
    let created = Created::default();
    let (sender, mut delays) = mpsc::unbounded_channel();
    for n in 0..load.workers {
        let weight = u32::try_from(load.window).unwrap();
        let pod = format!("w{n}");
        let stream = Stream::join(address, &pod, "prove", WorkerType::Gpu, weight).await;
        tokio::spawn(work(stream, created.clone(), sender.clone()));
    }
    let mut driver = Stream::join(address, "driver", "execute", WorkerType::Cpu, 64).await;
    // The root: from then on the proof is ours.
    while !driver
        .hear()
        .await
        .unwrap()
        .iter()
        .any(|m| matches!(m, Down::Assign(_)))
    {}
    let mut number = 0u64;
    let mut create = |count: usize| -> Vec<Up> {
        let now = Instant::now();
        let mut created = created.lock().unwrap();
        let creates = (0..count).map(|_| {
            number += 1;
            let task_id = format!("task_{number:026}");
            created.insert(task_id.clone(), now);
            Up::Create(wire::Create {
                task_id,
                run: 0,
                data: task_data().to_bytes(),
            })
        });
        creates.collect()
    };
    driver.say(create(load.workers * load.window));
    let (start, cpu) = (Instant::now(), server.cpu());
    let mut tasks = 0;
    while start.elapsed() < load.seconds {
        let results = driver.hear().await.unwrap().into_iter();
        let task_ids: Vec<_> = results
            .filter_map(|message| match message {
                Down::Result(result) => Some(result.task_id),
                _ => None,
            })
            .collect();
        if task_ids.is_empty() {
            continue;
        }
        tasks += task_ids.len() as u64;
        let mut messages = create(task_ids.len());
        {
            let mut created = created.lock().unwrap();
            for id in &task_ids {
                created.remove(id);
            }
        }
        messages.push(Up::Taken(wire::Taken {
            run: Some(run()),
            task_ids,
        }));
        driver.say(messages);
    }
    let (took, cpu) = (start.elapsed(), server.cpu() - cpu);
    let mut all = Vec::new();
    while let Ok(some) = delays.try_recv() {
        all.extend(some);
    }
    Sample {
        tasks,
        took,
        cpu,
        delays: all,
    }
}

/// A task as SP1 makes them: a few names of artifacts.
pub(crate) fn task_data() -> TaskData {
    let artifact = |n: u32| format!("artifact_01h455vb4pex5vsknk084sn{n:03}");
    TaskData {
        task_type: TaskType::ProveShard.into(),
        inputs: (0..3).map(artifact).collect(),
        outputs: vec![artifact(9)],
        proof_id: PROOF.to_owned(),
        ..TaskData::default()
    }
}
