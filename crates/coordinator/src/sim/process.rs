//! A worker's process: what it keeps and says by the native door, as `link.proto` has it.

mod hear;
mod report;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use provost_proto::link as wire;
use provost_proto::link::down_message::Message as Down;
use provost_proto::link::up_message::Message as Up;
use provost_proto::worker::{TaskData, TaskStatus, TaskType, WorkerType};

use crate::Millis;
use crate::shards::ShardSize;

/// A run, as a key.
pub(super) type Run = (String, u32);

/// What a process wants of its world, or what has happened to one of its tasks.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Start(Order),
    /// The task is to stop.
    Cancel(String),
    Result(Run, String, TaskStatus),
    Heard(Run, Bytes),
    End(Run),
    Concluded(Run),
    Refused(wire::Refused),
}

/// A task to run.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) run: Run,
    pub(super) task: String,
    pub(super) attempt: u32,
    pub(super) role: String,
    pub(super) data: TaskData,
}

struct Running {
    order: Order,
    cancelled: bool,
    next: Option<Order>,
}

/// What is kept of a run.
#[derive(Default)]
struct Kept {
    created: BTreeMap<String, wire::Create>,
    counted: BTreeMap<String, wire::Counted>,
    results: BTreeMap<String, wire::Done>,
    awaited: BTreeSet<String>,
    known: BTreeMap<String, TaskStatus>,
    channels: BTreeMap<String, Vec<Bytes>>,
    /// The message that comes next.
    listens: BTreeMap<String, u64>,
    conclusion: Option<wire::Conclude>,
}

pub(super) struct Process {
    pub(super) pod: String,
    pub(super) number: u64,
    pub(super) epoch: u64,
    /// For each replica the epoch of its Welcome, once it came.
    streams: BTreeMap<usize, Option<u64>>,
    leader: Option<usize>,
    running: BTreeMap<String, Running>,
    kept: BTreeMap<Run, Kept>,
    /// The first run of a proof that is not over.
    begins: BTreeMap<String, u32>,
    roles: Vec<(&'static str, WorkerType, u32)>,
    beats: u64,
    pub(super) now: Millis,
    /// It takes no more tasks, and ends then.
    ends_at: Option<Millis>,
    /// What goes out, by replica.
    pub(super) out: Vec<(usize, Up)>,
    pub(super) effects: Vec<Effect>,
}

fn wire_run(run: &Run) -> wire::Run {
    wire::Run {
        proof_id: run.0.clone(),
        run: run.1,
    }
}

fn key(run: Option<wire::Run>) -> Run {
    let run = run.unwrap();
    (run.proof_id, run.run)
}

impl Process {
    pub(super) fn new(pod: String, number: u64) -> Self {
        Self {
            pod,
            number,
            epoch: 0,
            streams: BTreeMap::new(),
            leader: None,
            running: BTreeMap::new(),
            kept: BTreeMap::new(),
            begins: BTreeMap::new(),
            roles: vec![
                ("execute", WorkerType::Cpu, 20),
                ("prove", WorkerType::Gpu, 9),
            ],
            beats: 0,
            now: 0,
            ends_at: None,
            out: Vec::new(),
            effects: Vec::new(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        let empty = |k: &Kept| {
            k.created.is_empty()
                && k.results.is_empty()
                && k.awaited.is_empty()
                && k.conclusion.is_none()
        };
        self.running.is_empty() && self.kept.values().all(empty)
    }

    pub(super) fn left_over(&self) -> String {
        let kept = self.kept.iter().map(|(run, k)| {
            let created: Vec<_> = k.created.keys().collect();
            let results: Vec<_> = k.results.keys().collect();
            format!(
                "{run:?} created {created:?} results {results:?} awaited {:?} conclusion {}",
                k.awaited,
                k.conclusion.is_some()
            )
        });
        let kept: Vec<_> = kept.collect();
        format!("{} runs {:?} keeps {kept:?}", self.pod, self.running.keys())
    }

    /// A stream to a replica is open.
    pub(super) fn opened(&mut self, replica: usize) {
        self.streams.insert(replica, None);
        let hello = wire::Hello {
            pod: self.pod.clone(),
            pod_uid: self.pod.clone(),
            process: self.number,
            epoch: self.epoch,
            // Of each kind some.
            spot: self.number.is_multiple_of(2),
            ..wire::Hello::default()
        };
        self.out.push((replica, Up::Hello(hello)));
        for (name, class, max_weight) in self.roles.clone() {
            let role = wire::Role {
                name: name.to_owned(),
                class: class.into(),
                max_weight,
                provers: u32::from(class == WorkerType::Gpu),
                device: None,
                shard_elements: ShardSize::Full.elements(),
            };
            self.out.push((replica, Up::Role(role)));
        }
    }

    pub(super) fn broken(&mut self, replica: usize) {
        self.streams.remove(&replica);
        if self.leader == Some(replica) {
            self.leader = None;
        }
    }

    /// It takes no more tasks, and ends after `grace`.
    pub(super) fn drain(&mut self, grace: Millis) {
        self.ends_at = Some(self.now + grace);
        self.say_drain();
    }

    fn say_drain(&mut self) {
        if let Some(end) = self.ends_at {
            let grace_ms = u64::try_from((end - self.now).max(1)).unwrap();
            self.tell(Up::Drain(wire::Drain { grace_ms }));
        }
    }

    pub(super) fn has_stream(&self, replica: usize) -> bool {
        self.streams.contains_key(&replica)
    }

    pub(super) fn beat(&mut self) {
        self.beats += 1;
        for replica in self.streams.keys().copied().collect::<Vec<_>>() {
            self.beat_to(replica);
        }
    }

    fn beat_to(&mut self, replica: usize) {
        let beat = wire::Beat {
            epoch: self.epoch,
            sequence: self.beats,
        };
        self.out.push((replica, Up::Beat(beat)));
    }

    fn tell(&mut self, message: Up) {
        if let Some(leader) = self.leader {
            self.out.push((leader, message));
        }
    }

    fn of(&mut self, run: &Run) -> Option<&mut Kept> {
        let begins = self.begins.get(&run.0).copied().unwrap_or(0);
        (run.1 >= begins).then(|| self.kept.entry(run.clone()).or_default())
    }
}
