//! By the native door: a stream for each process, and whatever waits to be sent goes into one frame.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use provost_proto::link::down_message::Message as Down;
use provost_proto::link::link_client::LinkClient;
use provost_proto::link::up_message::Message as Up;
use provost_proto::link::{self as wire, UpMessage};
use provost_proto::worker::{TaskData, WorkerType};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Streaming;

use super::unary::pick;
use super::{BEAT, FleetSpec, Root, Tally, task_data};

/// Most messages of a frame.
const FRAME: usize = 512;

/// Creates tasks.
pub(super) struct Driver {
    up: Sender,
    roots: Vec<Root>,
    /// Makes the ids of this fleet's tasks different from those of others.
    name: u64,
    _workers: JoinSet<()>,
}

/// Where a process says things.
#[derive(Clone)]
struct Sender(mpsc::UnboundedSender<UpMessage>);

impl Sender {
    fn say(&self, message: Up) {
        // A stream that has ended takes nothing.
        let _ = self.0.send(UpMessage {
            message: Some(message),
        });
    }
}

/// One process.
struct Process {
    up: Sender,
    down: Streaming<wire::Down>,
}

impl Process {
    async fn join(
        address: &str,
        pod: String,
        role: &str,
        class: WorkerType,
        max_weight: u32,
    ) -> anyhow::Result<Self> {
        let mut client = LinkClient::connect(address.to_owned()).await?;
        let (up, queue) = mpsc::unbounded_channel();
        let frames = futures::stream::unfold(queue, |mut queue| async {
            let mut messages = Vec::new();
            let count = queue.recv_many(&mut messages, FRAME).await;
            (count > 0).then_some((wire::Up { messages }, queue))
        });
        let up = Sender(up);
        up.say(Up::Hello(wire::Hello {
            pod,
            ..wire::Hello::default()
        }));
        let down = client.join(frames).await?.into_inner();
        let mut process = Self { up, down };
        // It is said again when the replica begins to lead.
        let leads = |message: &Down| matches!(message, Down::Welcome(w) if w.epoch > 0);
        while !process.hear().await?.iter().any(leads) {}
        process.up.say(Up::Role(wire::Role {
            name: role.to_owned(),
            class: class.into(),
            max_weight,
            provers: 0,
            device: None,
            shard_elements: 0,
        }));
        process.up.say(Up::Report(wire::Report {
            last: true,
            ..wire::Report::default()
        }));
        Ok(process)
    }

    async fn hear(&mut self) -> anyhow::Result<Vec<Down>> {
        let frame = self.down.message().await?.context("the stream ended")?;
        let messages = frame.messages.into_iter();
        Ok(messages.filter_map(|m| m.message).collect())
    }
}

/// Waits until the replica leads.
///
/// # Errors
/// It cannot be reached.
pub async fn leads(address: &str) -> anyhow::Result<()> {
    let gpu = WorkerType::Gpu;
    Process::join(address, "watch".into(), "prove", gpu, 0).await?;
    Ok(())
}

pub(super) async fn connect(spec: &FleetSpec, tally: &Arc<Tally>) -> anyhow::Result<Driver> {
    let (mut tasks, address) = (JoinSet::new(), &spec.address);
    for number in 0..spec.workers {
        let pod = format!("w{number}");
        let gpu = WorkerType::Gpu;
        let process = Process::join(address, pod, "prove", gpu, spec.capacity()).await?;
        let offset = BEAT.mul_f64(number as f64 / spec.workers as f64);
        tasks.spawn(beat(process.up.clone(), offset));
        tasks.spawn(work(process, tally.clone()));
    }
    let cpu = WorkerType::Cpu;
    let mut process = Process::join(address, "driver".into(), "execute", cpu, 1 << 16).await?;
    tasks.spawn(beat(process.up.clone(), Duration::ZERO));
    let mut roots = Vec::new();
    while roots.len() < spec.proofs {
        for message in process.hear().await? {
            if let Down::Assign(assign) = message {
                roots.push(Root {
                    proof: TaskData::from_bytes(&assign.data)?.proof_id,
                    task: assign.task_id,
                    run: assign.run,
                });
            }
        }
    }
    let up = process.up.clone();
    tasks.spawn(take_in(process, tally.clone()));
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
    Ok(Driver {
        up,
        roots,
        name: since.map_or(0, |since| since.as_secs()),
        _workers: tasks,
    })
}

async fn beat(up: Sender, offset: Duration) {
    tokio::time::sleep(offset).await;
    for sequence in 0.. {
        up.say(Up::Beat(wire::Beat { epoch: 0, sequence }));
        tokio::time::sleep(BEAT).await;
    }
}

/// Runs whatever comes for a while.
async fn work(mut process: Process, tally: Arc<Tally>) {
    while let Ok(messages) = process.hear().await {
        let mut done = Vec::new();
        for message in messages {
            let Down::Assign(assign) = message else {
                continue;
            };
            let data = TaskData::from_bytes(&assign.data).unwrap_or_default();
            tally.delivered(&data.metadata);
            done.push(Up::Done(wire::Done {
                run: Some(wire::Run {
                    proof_id: data.proof_id,
                    run: assign.run,
                }),
                task_id: assign.task_id,
                attempt: assign.attempt,
                role: assign.role,
                outcome: Some(wire::done::Outcome::Completed("{}".to_owned())),
            }));
        }
        let (up, task_time) = (process.up.clone(), tally.task_time());
        if !done.is_empty() {
            tokio::spawn(async move {
                tokio::time::sleep(task_time).await;
                done.into_iter().for_each(|done| up.say(done));
            });
        }
    }
}

/// Takes in results, so that the server may forget their tasks.
async fn take_in(mut process: Process, tally: Arc<Tally>) {
    while let Ok(messages) = process.hear().await {
        let mut taken: HashMap<(String, u32), Vec<String>> = HashMap::new();
        for message in messages {
            match message {
                Down::Result(result) => {
                    let run = result.run.unwrap_or_default();
                    let tasks = taken.entry((run.proof_id, run.run)).or_default();
                    tasks.push(result.task_id);
                }
                Down::Refused(_) => tally.refused(),
                _ => {}
            }
        }
        for ((proof_id, run), task_ids) in taken {
            tally.done(task_ids.len() as u64);
            let run = Some(wire::Run { proof_id, run });
            process.up.say(Up::Taken(wire::Taken { run, task_ids }));
        }
    }
}

impl Driver {
    pub(super) fn create(&self, number: u64, due: Option<Instant>) {
        let Some(root) = pick(&self.roots, number) else {
            return;
        };
        self.up.say(Up::Create(wire::Create {
            task_id: format!("task_{:010}{number:016}", self.name),
            run: root.run,
            data: task_data(root, due).to_bytes(),
        }));
    }
}
