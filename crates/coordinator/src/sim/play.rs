//! What the tasks of a proof do, in the shape in which SP1 does it.

use std::collections::BTreeSet;

use provost_proto::link::{Failed, done};
use provost_proto::worker::{TaskStatus, TaskType};

use super::process::{Order, Process, Run};
use super::rng::Rng;

/// A task that runs.
pub(super) struct Play {
    pub(super) order: Order,
    pub(super) serial: u64,
    kind: TaskType,
    cancelled: bool,
    /// Results that it waits for.
    wants: BTreeSet<String>,
    step: usize,
    /// The shards that a Controller has heard of, or the tasks of a tree's present level.
    level: usize,
    said_all: bool,
    pub(super) concluding: bool,
}

/// When the task goes on, or how it ended.
pub(super) enum Next {
    Wait,
    After(i64),
    /// It never goes on by itself.
    Hangs,
    Ended(done::Outcome),
}

fn completed() -> Next {
    Next::Ended(done::Outcome::Completed("{}".to_owned()))
}

impl Play {
    pub(super) fn new(order: Order, serial: u64) -> Self {
        Self {
            kind: order.data.task_type(),
            order,
            serial,
            cancelled: false,
            wants: BTreeSet::new(),
            step: 0,
            level: 0,
            said_all: false,
            concluding: false,
        }
    }

    pub(super) const fn kind(&self) -> TaskType {
        self.kind
    }

    pub(super) const fn run(&self) -> &Run {
        &self.order.run
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/{}#{}", self.order.task, rest, self.serial)
    }

    fn create(&mut self, process: &mut Process, name: String, kind: TaskType) {
        let run = self.order.run.clone();
        process.create(&run, &name, kind, Vec::new());
        process.want(&run, &name);
        self.wants.insert(name);
    }

    pub(super) fn start(&mut self, process: &mut Process, rng: &mut Rng) -> Next {
        if !super::world::is_unit(self.kind) && rng.chance(1) {
            return Next::Hangs;
        }
        if self.kind != TaskType::Controller {
            return Next::After(rng.range(5, 400));
        }
        let execute = self.name("execute");
        self.create(process, self.name("vkey"), TaskType::SetupVkey);
        self.create(process, execute.clone(), TaskType::CoreExecute);
        process.listen(&self.order.run.clone(), &execute);
        Next::Wait
    }

    pub(super) fn cancel(&mut self, rng: &mut Rng) -> Next {
        self.cancelled = true;
        Next::After(rng.range(1, 300))
    }

    /// Time has passed.
    pub(super) fn wake(&mut self, process: &mut Process, rng: &mut Rng, shards: usize) -> Next {
        if self.cancelled {
            return Next::Ended(done::Outcome::Stopped(true));
        }
        let percent = if super::world::is_unit(self.kind) {
            1
        } else {
            4
        };
        if rng.chance(percent) {
            return Next::Ended(done::Outcome::Failed(Failed {
                class: "Transient".to_owned(),
                retryable: true,
                message: "bad luck".to_owned(),
            }));
        }
        match self.kind {
            TaskType::CoreExecute if self.step < shards => {
                let run = self.order.run.clone();
                let (marker, shard) = (
                    self.name(&format!("m{}", self.step)),
                    self.name(&format!("s{}", self.step)),
                );
                self.create(process, marker.clone(), TaskType::MarkerDeferredRecord);
                process.create(&run, &shard, TaskType::ProveShard, vec![marker]);
                process.say(&run, &self.order.task, shard.into());
                self.step += 1;
                self.said_all = self.step == shards;
                Next::After(rng.range(1, 200))
            }
            TaskType::CoreExecute => self.advance(process),
            TaskType::ProveShard => {
                let run = self.order.run.clone();
                process.marker_completed(&run, &self.order.data.inputs[0]);
                completed()
            }
            TaskType::Controller => Next::Wait,
            _ => completed(),
        }
    }

    pub(super) fn result(&mut self, process: &mut Process, task: &str, status: TaskStatus) -> Next {
        if !self.wants.remove(task) || self.cancelled {
            return Next::Wait;
        }
        if status != TaskStatus::Succeeded {
            if self.kind == TaskType::Controller {
                self.conclude(process, true);
            }
            return Next::Wait;
        }
        self.advance(process)
    }

    /// A shard is on its way.
    pub(super) fn heard(&mut self, process: &mut Process, shard: &str) {
        if self.kind == TaskType::Controller && !self.cancelled {
            self.level += 1;
            self.wants.insert(shard.to_owned());
            process.want(&self.order.run.clone(), shard);
        }
    }

    pub(super) fn channel_ended(&mut self, process: &mut Process) -> Next {
        if self.kind != TaskType::Controller || self.cancelled {
            return Next::Wait;
        }
        self.said_all = true;
        self.advance(process)
    }

    fn advance(&mut self, process: &mut Process) -> Next {
        if !self.wants.is_empty() || !self.said_all || self.concluding {
            return Next::Wait;
        }
        if self.kind == TaskType::CoreExecute {
            return completed();
        }
        if self.level <= 1 {
            self.conclude(process, false);
            return Next::Wait;
        }
        self.level = self.level.div_ceil(3);
        self.step += 1;
        for n in 0..self.level {
            self.create(
                process,
                self.name(&format!("r{}.{n}", self.step)),
                TaskType::RecursionReduce,
            );
        }
        Next::Wait
    }

    fn conclude(&mut self, process: &mut Process, failed: bool) {
        self.concluding = true;
        process.conclude(&self.order.run.clone(), &self.order.task, failed);
    }
}
