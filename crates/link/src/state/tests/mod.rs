//! One file for each subject; here is what they share.

#![allow(clippy::unwrap_used)]

mod channels;
mod children;
mod ends;
mod epochs;
mod leader;
mod random;
mod report;
mod running;

use bytes::Bytes;
use proto::down_message::Message as Down;
use proto::up_message::Message as Up;
use provost_proto::link as proto;
use provost_proto::worker::{TaskData, TaskStatus, TaskType, WorkerType};

use super::{About, Effect, Kept, ListenerId, Start, StreamId, WatcherId};
use crate::Run;
use crate::order::{Outcome, Role};

/// A worker, and what it did since the last look.
pub(super) struct Env {
    pub(super) kept: Kept,
    out: Vec<Effect>,
}

pub(super) const A: StreamId = StreamId(0);
pub(super) const B: StreamId = StreamId(1);

impl Env {
    /// A worker that plays `execute` and `prove` and has no stream.
    pub(super) fn new() -> Self {
        Self::with_parts_of(1 << 20)
    }

    pub(super) fn with_parts_of(part_bytes: usize) -> Self {
        let about = About {
            pod: "pod".to_owned(),
            ..About::default()
        };
        let mut env = Self {
            kept: Kept::new(about, part_bytes),
            out: Vec::new(),
        };
        for name in ["execute", "prove"] {
            env.act(|kept, out| kept.add_role(role(name), out));
        }
        env.take();
        env
    }

    /// A worker whose stream A leads in epoch 1, and knows that it has nothing.
    pub(super) fn led() -> Self {
        let mut env = Self::new();
        env.lead(A, 1);
        env.take();
        env
    }

    pub(super) fn act(&mut self, event: impl FnOnce(&mut Kept, &mut Vec<Effect>)) {
        event(&mut self.kept, &mut self.out);
    }

    pub(super) fn hear(&mut self, stream: StreamId, message: Down) {
        self.act(|kept, out| kept.hear(stream, message, 0, out));
    }

    pub(super) fn welcome(&mut self, stream: StreamId, epoch: u64) {
        let replica = format!("replica-{}", stream.0);
        self.hear(stream, Down::Welcome(proto::Welcome { replica, epoch }));
    }

    /// A stream opens, and its replica leads.
    pub(super) fn lead(&mut self, stream: StreamId, epoch: u64) {
        self.act(|kept, out| kept.opened(stream, out));
        self.welcome(stream, epoch);
    }

    pub(super) fn take(&mut self) -> Vec<Effect> {
        let (kept, out) = (&mut self.kept, &mut self.out);
        kept.flush(out);
        std::mem::take(&mut self.out)
    }

    /// What was said on `stream` since the last look; everything else is dropped.
    pub(super) fn said(&mut self, stream: StreamId) -> Vec<Up> {
        let effects = self.take().into_iter();
        let said = effects.filter_map(|effect| match effect {
            Effect::Send(to, message) if to == stream => Some(message),
            _ => None,
        });
        said.collect()
    }

    /// What was done since the last look, messages left out.
    pub(super) fn did(&mut self) -> Vec<Effect> {
        let mut effects = self.take();
        effects.retain(|effect| !matches!(effect, Effect::Send(..)));
        effects
    }

    /// The tasks that were started since the last look.
    pub(super) fn started(&mut self) -> Vec<Start> {
        let effects = self.take().into_iter();
        let started = effects.filter_map(|effect| match effect {
            Effect::Start(start) => Some(start),
            _ => None,
        });
        started.collect()
    }

    pub(super) fn assign(&mut self, epoch: u64, task: &str, run: &Run, attempt: u32) {
        let leader = self.kept.leader().unwrap();
        self.hear(leader, assign(epoch, task, run, attempt));
    }

    /// A task is ordered and starts.
    pub(super) fn start(&mut self, task: &str, run: &Run, attempt: u32) -> Start {
        self.assign(self.kept.epoch(), task, run, attempt);
        let mut started = self.started();
        assert_eq!(started.len(), 1, "{task} starts");
        started.remove(0)
    }

    pub(super) fn end(&mut self, start: &Start, outcome: Outcome) {
        let (task_id, serial) = (&start.task_id, start.serial);
        self.act(|kept, out| kept.ended(task_id, serial, outcome, 0, out));
    }

    pub(super) fn create(&mut self, run: &Run, task: &str) {
        self.act(|kept, out| kept.create(run, create(run, task), out));
    }

    pub(super) fn over(&mut self, run: &Run) {
        let over = Down::Over(proto::Over {
            epoch: self.kept.epoch(),
            run: Some(run.to_proto()),
        });
        self.hear(self.kept.leader().unwrap(), over);
    }

    pub(super) fn result(&mut self, run: &Run, task: &str, status: TaskStatus) {
        let result = Down::Result(proto::Result {
            run: Some(run.to_proto()),
            task_id: task.to_owned(),
            status: status as i32,
        });
        self.hear(self.kept.leader().unwrap(), result);
    }

    pub(super) fn refused(&mut self, task: &str, reason: &str) {
        let refused = Down::Refused(proto::Refused {
            task_id: task.to_owned(),
            reason: reason.to_owned(),
            message: String::new(),
        });
        self.hear(self.kept.leader().unwrap(), refused);
    }

    /// The whole report, all parts together.
    pub(super) fn report(&self) -> proto::Report {
        together(self.kept.report())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.counts().is_nothing() && self.kept.kept.is_empty()
    }
}

/// All parts of a report as one.
pub(super) fn together(parts: Vec<proto::Report>) -> proto::Report {
    let mut all = proto::Report::default();
    let count = parts.len();
    for (at, part) in parts.into_iter().enumerate() {
        assert_eq!(part.last, at + 1 == count, "the last part says so");
        all.running.extend(part.running);
        all.done.extend(part.done);
        all.created.extend(part.created);
        all.watches.extend(part.watches);
        all.said.extend(part.said);
        all.conclusions.extend(part.conclusions);
        all.listens.extend(part.listens);
        all.results.extend(part.results);
        all.counted.extend(part.counted);
    }
    all
}

pub(super) fn run() -> Run {
    Run::new("proof", 1)
}

pub(super) fn role(name: &str) -> Role {
    Role {
        name: name.to_owned(),
        class: WorkerType::Cpu,
        max_weight: 8,
        provers: 0,
        device: None,
        shard_elements: 0,
    }
}

pub(super) fn completed() -> Outcome {
    Outcome::Completed("{}".to_owned())
}

pub(super) fn failed() -> Outcome {
    Outcome::Failed {
        class: "Transient".to_owned(),
        retryable: true,
        message: "no".to_owned(),
    }
}

pub(super) fn data(run: &Run) -> TaskData {
    TaskData {
        task_type: TaskType::ProveShard as i32,
        proof_id: run.proof_id().to_owned(),
        ..TaskData::default()
    }
}

pub(super) fn create(run: &Run, task: &str) -> proto::Create {
    proto::Create {
        task_id: task.to_owned(),
        run: run.number(),
        data: data(run).to_bytes(),
    }
}

pub(super) fn assign(epoch: u64, task: &str, run: &Run, attempt: u32) -> Down {
    Down::Assign(proto::Assign {
        epoch,
        task_id: task.to_owned(),
        run: run.number(),
        attempt,
        role: "prove".to_owned(),
        data: data(run).to_bytes(),
    })
}

pub(super) fn cancel(epoch: u64, task: &str, run: &Run) -> Down {
    Down::Cancel(proto::Cancel {
        epoch,
        run: Some(run.to_proto()),
        task_id: task.to_owned(),
    })
}

pub(super) fn settled(task: &str) -> Down {
    let task_ids = vec![task.to_owned()];
    Down::Settled(proto::Settled { task_ids })
}

/// The Done messages among these.
pub(super) fn dones(said: &[Up]) -> Vec<(&str, u32, &proto::done::Outcome)> {
    let dones = said.iter().filter_map(|message| match message {
        Up::Done(done) => Some((
            done.task_id.as_str(),
            done.attempt,
            done.outcome.as_ref().unwrap(),
        )),
        _ => None,
    });
    dones.collect()
}
