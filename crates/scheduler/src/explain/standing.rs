//! Where a task stands, as data.

use crate::Millis;
use crate::fleet::{WorkerSpec, WorkerView};
use crate::keys::{TaskKey, WorkerKey};
use crate::scheduler::Scheduler;
use crate::scheduler::State;
use crate::shape::{Class, Requirement, Shape};

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A worker has it.
    Runs {
        /// The worker.
        worker: WorkerKey,
    },
    /// Its worker is gone, and nobody has said yet what is to become of it.
    Adrift,
    /// Waiting does not help: the cluster must change.
    Unschedulable(Unschedulable),
    /// It waits out a time after a failed attempt.
    BackOff {
        /// Until when.
        until: Millis,
    },
    /// Its proof has as many tasks on provers as it may.
    AtCap {
        /// How many that is.
        parallelism: u32,
    },
    /// There are workers for it, and none of them takes tasks at present: they are silent, closing, or without a stream.
    Unavailable {
        /// Those workers.
        workers: u32,
    },
    /// Tasks with the same needs and a higher priority, or of a proof that is nearer to its deadline, come first.
    Behind {
        /// The priority of the first of them.
        priority: i32,
        /// Whether that one is urgent.
        urgent: bool,
    },
    /// A worker is kept for it, and is finishing what it has.
    Reserved {
        /// That worker.
        worker: WorkerKey,
    },
    /// It waits for room.
    Busy {
        /// The open workers that are large enough for it when they have room.
        workers: u32,
        /// How many tasks with the same needs wait.
        waiting: usize,
    },
}

/// Why no worker can ever run a task, and what would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unschedulable {
    /// There is no worker of the class.
    NoWorker {
        /// The class.
        class: Class,
    },
    /// There are workers of the class, and none has what the task requires.
    NoMatch {
        /// The class.
        class: Class,
        /// What it requires.
        requirement: Requirement,
        /// How many workers lack it.
        workers: u32,
    },
    /// No worker is large enough.
    TooLarge {
        /// The class.
        class: Class,
        /// What it needs, in GiB.
        weight: u32,
        /// What its heaviest child needs besides, in GiB; 0 where that does not matter.
        children: u32,
        /// The capacity of the largest worker, in GiB.
        largest: u32,
    },
    /// It ran out of memory on a worker, and there is none that is larger.
    OutOfMemory {
        /// The class.
        class: Class,
        /// The least capacity that is worth another attempt, in GiB.
        min_capacity: u32,
        /// The capacity of the largest worker, in GiB.
        largest: u32,
    },
}

impl Standing {
    /// Stable CamelCase name.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Runs { .. } => "Runs",
            Self::Adrift => "Adrift",
            Self::Unschedulable(why) => why.reason(),
            Self::BackOff { .. } => "BackOff",
            Self::AtCap { .. } => "Parallelism",
            Self::Unavailable { .. } => "Unavailable",
            Self::Behind { .. } => "Behind",
            Self::Reserved { .. } => "Reserved",
            Self::Busy { .. } => "Busy",
        }
    }
}

impl Unschedulable {
    /// Stable CamelCase name.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoWorker { .. } => "NoWorker",
            Self::NoMatch { .. } => "NoMatch",
            Self::TooLarge { .. } => "TooLarge",
            Self::OutOfMemory { .. } => "OutOfMemory",
        }
    }
}

impl Scheduler {
    /// Where a task stands; `None` if there is no such task. O(workers): for people, not for every decision.
    pub fn explain(&self, task: TaskKey) -> Option<Standing> {
        let found = self.tasks.get(task)?;
        let until = match found.state {
            State::Held(_) => {
                let worker = self.worker_of(task)?;
                return Some(Standing::Runs { worker });
            }
            State::Adrift => return Some(Standing::Adrift),
            State::Delayed(until) => Some(until),
            State::Waiting => None,
        };
        let shape = self.queue.shape(found.shape);
        let survey = Survey::of(self, shape);
        if let Some(why) = survey.unschedulable(shape) {
            return Some(Standing::Unschedulable(why));
        }
        if let Some(until) = until {
            return Some(Standing::BackOff { until });
        }
        let proof = self.proofs.get(found.proof)?;
        if shape.class == Class::Gpu
            && let Some(parallelism) = proof.at_cap()
        {
            return Some(Standing::AtCap { parallelism });
        }
        if survey.open == 0 {
            let workers = survey.fit;
            return Some(Standing::Unavailable { workers });
        }
        let id = found.shape;
        let own = proof.band();
        if let Some(head) = self.queue.head(id)
            && head.band < own
        {
            return Some(Standing::Behind {
                priority: head.band.priority(),
                urgent: head.band.is_urgent(),
            });
        }
        let kept = self.stuck.get(id as usize).and_then(|stuck| stuck.kept);
        if let Some(worker) = kept.and_then(|worker| self.fleet.key(worker)) {
            return Some(Standing::Reserved { worker });
        }
        Some(Standing::Busy {
            workers: survey.open,
            waiting: self.queue.len_of(id),
        })
    }

    /// Whether a task of a shape could ever run, with the workers that there are, closed ones included. O(workers).
    pub fn unschedulable(&self, shape: &Shape) -> Option<Unschedulable> {
        Survey::of(self, shape).unschedulable(shape)
    }
}

/// The workers, with respect to a shape.
#[derive(Default)]
struct Survey {
    of_class: u32,
    with_requirement: u32,
    /// Large enough.
    fit: u32,
    /// Large enough and open.
    open: u32,
    /// The largest two that have what is required.
    largest: u32,
    second: u32,
}

impl Survey {
    fn of(scheduler: &Scheduler, shape: &Shape) -> Self {
        let mut survey = Self::default();
        for (spec, view) in scheduler.fleet.specs() {
            survey.count(shape, spec, view);
        }
        survey
    }

    fn count(&mut self, shape: &Shape, spec: &WorkerSpec, view: WorkerView) {
        if !spec.kind.serves(shape.class) {
            return;
        }
        self.of_class += 1;
        let required = shape.requirement;
        if required.is_some_and(|r| !spec.provides.contains(&r)) {
            return;
        }
        if self.with_requirement == 0 || spec.capacity > self.largest {
            self.second = self.largest;
            self.largest = spec.capacity;
        } else {
            self.second = self.second.max(spec.capacity);
        }
        self.with_requirement += 1;
        if spec.capacity >= shape.weight.max(shape.min_capacity) {
            self.fit += 1;
            self.open += u32::from(view.open);
        }
    }

    fn unschedulable(&self, shape: &Shape) -> Option<Unschedulable> {
        let class = shape.class;
        if self.of_class == 0 {
            return Some(Unschedulable::NoWorker { class });
        }
        if self.with_requirement == 0 {
            return shape.requirement.map(|requirement| Unschedulable::NoMatch {
                class,
                requirement,
                workers: self.of_class,
            });
        }
        let Shape {
            weight,
            reserve,
            min_capacity,
            ..
        } = *shape;
        let largest = self.largest;
        // Task and children fit together on the largest worker, or the task fits beside it.
        let together = u64::from(largest) >= u64::from(weight) + u64::from(reserve);
        let beside = largest >= reserve && self.second >= weight.max(min_capacity);
        if largest < weight || (reserve > 0 && !together && !beside) {
            return Some(Unschedulable::TooLarge {
                class,
                weight,
                children: reserve,
                largest,
            });
        }
        (self.fit == 0).then_some(Unschedulable::OutOfMemory {
            class,
            min_capacity,
            largest,
        })
    }
}
