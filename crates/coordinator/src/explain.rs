//! Why the tasks of a proof wait, item by item.

use std::collections::BTreeMap;
use std::fmt;

use provost_proto::class_of;
use provost_proto::worker::{TaskType, WorkerType};
use provost_scheduler::explain::{Standing, Unschedulable};

use crate::Millis;
use crate::core::{Core, Held, Phase, Task, from_ticks};
use crate::failure::task_name;
use crate::ids::ProofId;

/// Why the tasks of a proof wait. Empty when none does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// One entry for each type of task that waits.
    pub waits: Vec<Wait>,
}

/// Why the tasks of one type wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Their type.
    pub task_type: TaskType,
    /// How many of them wait.
    pub count: u32,
    /// Memory that each needs, in GiB: more than their type's weight once the first of them ran out of memory.
    pub weight: u32,
    /// Why the first of them waits.
    pub reason: WaitReason,
}

/// Why a task waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// No worker runs tasks of this class.
    NoWorker {
        /// `CPU` or `GPU`.
        class: &'static str,
    },
    /// No worker of the class proves shards of the proof's size.
    ShardsTooLarge {
        /// How many workers of the class there are.
        workers: u32,
    },
    /// No worker of the class is large enough.
    TooLarge {
        /// `CPU` or `GPU`.
        class: &'static str,
        /// Capacity of the largest worker, in GiB.
        largest: u32,
        /// What the task's heaviest child needs besides, in GiB; 0 where that does not matter.
        children: u32,
    },
    /// There are workers, and none of them takes tasks at present: they are silent, closing, or without a stream.
    Unavailable {
        /// `CPU` or `GPU`.
        class: &'static str,
    },
    /// The proof has as many tasks on provers as it may.
    Parallelism,
    /// The last attempt failed a moment ago.
    BackOff {
        /// Until when it waits.
        until: Millis,
    },
    /// It may run somewhere: a new leader waits for all workers to say what they run.
    Recovering,
    /// It is the root of a run that is not stored yet.
    Storing,
    /// It is the root of a run that is not stored, and will not be until somebody changes something.
    Refused {
        /// What the state says.
        why: String,
    },
    /// Proofs of a higher priority, or nearer to their deadline, come first.
    Behind {
        /// The priority of the first of them.
        priority: i32,
        /// Whether it is its deadline that puts it first.
        urgent: bool,
    },
    /// A worker is kept for it, and finishes what it has.
    Reserved,
    /// The workers are busy.
    Busy,
}

impl WaitReason {
    /// Whether waiting does not help: the cluster must change.
    pub const fn is_blocking(&self) -> bool {
        matches!(
            self,
            Self::NoWorker { .. }
                | Self::ShardsTooLarge { .. }
                | Self::TooLarge { .. }
                | Self::Refused { .. }
        )
    }

    /// Stable CamelCase name.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoWorker { .. } => "NoWorker",
            Self::ShardsTooLarge { .. } => "ShardsTooLarge",
            Self::TooLarge { .. } => "TooLarge",
            Self::Unavailable { .. } => "Unavailable",
            Self::Parallelism => "Parallelism",
            Self::BackOff { .. } => "BackOff",
            Self::Recovering => "Recovering",
            Self::Storing => "Storing",
            Self::Refused { .. } => "Refused",
            Self::Behind { .. } => "Behind",
            Self::Reserved => "Reserved",
            Self::Busy => "Busy",
        }
    }
}

impl Explanation {
    /// What must change before the proof can go on, for people; `None` if it only has to wait.
    pub fn unschedulable(&self) -> Option<String> {
        let blocking = self.waits.iter().filter(|wait| wait.reason.is_blocking());
        let lines: Vec<_> = blocking.map(ToString::to_string).collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, weight) = (task_name(self.task_type), self.weight);
        match &self.reason {
            WaitReason::NoWorker { class } => {
                write!(
                    f,
                    "{name} needs a worker of class {class}, and none is registered"
                )
            }
            WaitReason::ShardsTooLarge { workers } => write!(
                f,
                "{name} is of a proof with full shards, and none of {workers} GPU workers can prove them: add a GPU with more than 26 GiB, or \
                 suspend and resume the proof, which begins it again with smaller ones"
            ),
            WaitReason::TooLarge {
                class,
                largest,
                children: 0,
            } => write!(
                f,
                "{name} needs weight {weight}, the largest {class} worker has {largest}"
            ),
            WaitReason::TooLarge {
                class,
                largest,
                children,
            } => write!(
                f,
                "{name} needs weight {weight} and {children} more for what it starts, the largest {class} worker has {largest}"
            ),
            WaitReason::Unavailable { class } => {
                write!(f, "{name} waits: no {class} worker takes tasks at present")
            }
            WaitReason::Parallelism => {
                write!(
                    f,
                    "{name} waits: the proof has as many tasks running as it may"
                )
            }
            WaitReason::BackOff { .. } => {
                write!(f, "{name} waits a moment after a failed attempt")
            }
            WaitReason::Recovering => write!(
                f,
                "{name} waits until all workers have told the new leader what they run"
            ),
            WaitReason::Storing => write!(f, "{name} waits until its run is stored"),
            WaitReason::Refused { why } => {
                write!(
                    f,
                    "{name} waits until its run is stored, which is refused: {why}"
                )
            }
            WaitReason::Behind { urgent: true, .. } => {
                write!(
                    f,
                    "{name} waits behind proofs that are nearer to their deadline"
                )
            }
            WaitReason::Behind { priority, .. } => {
                write!(f, "{name} waits behind proofs of priority {priority}")
            }
            WaitReason::Reserved => write!(
                f,
                "{name} waits: a worker is kept for it, and finishes what it has"
            ),
            WaitReason::Busy => write!(f, "{name} waits: all workers are busy"),
        }
    }
}

impl Core {
    /// Why the tasks of a proof wait; `None` if there is no such proof.
    pub(crate) fn explain(&self, id: &ProofId) -> Option<Explanation> {
        let proof = self.proof(id)?;
        let mut first: BTreeMap<TaskType, (&Task, u32)> = BTreeMap::new();
        for task in self.waiting(proof) {
            let entry = first.entry(task.kind).or_insert((task, 0));
            entry.1 += 1;
            if task.rank < entry.0.rank {
                entry.0 = task;
            }
        }
        let waits = first.into_values().map(|(task, count)| Wait {
            task_type: task.kind,
            count,
            weight: self.needed(task),
            reason: self.why(task),
        });
        Some(Explanation {
            waits: waits.collect(),
        })
    }

    fn why(&self, task: &Task) -> WaitReason {
        match task.phase() {
            Phase::Held(Held::Recovery) => return WaitReason::Recovering,
            Phase::Held(Held::Storing(_)) => {
                let refused = self
                    .proof(&task.proof)
                    .and_then(|proof| proof.refused.clone());
                return refused.map_or(WaitReason::Storing, |why| WaitReason::Refused { why });
            }
            _ => {}
        }
        let class = class_name(class_of(task.kind));
        match self.standing(task) {
            None => WaitReason::NoWorker { class },
            Some(standing) => reason(standing, class),
        }
    }
}

fn reason(standing: Standing, class: &'static str) -> WaitReason {
    match standing {
        Standing::Unschedulable(why) => match why {
            Unschedulable::NoWorker { .. } => WaitReason::NoWorker { class },
            Unschedulable::NoMatch { workers, .. } => WaitReason::ShardsTooLarge { workers },
            Unschedulable::TooLarge {
                largest, children, ..
            } => WaitReason::TooLarge {
                class,
                largest,
                children,
            },
            Unschedulable::OutOfMemory { largest, .. } => WaitReason::TooLarge {
                class,
                largest,
                children: 0,
            },
        },
        Standing::BackOff { until } => WaitReason::BackOff {
            until: from_ticks(until),
        },
        Standing::AtCap { .. } => WaitReason::Parallelism,
        Standing::Unavailable { .. } => WaitReason::Unavailable { class },
        Standing::Behind { priority, urgent } => WaitReason::Behind { priority, urgent },
        Standing::Reserved { .. } => WaitReason::Reserved,
        Standing::Runs { .. } | Standing::Adrift | Standing::Busy { .. } => WaitReason::Busy,
    }
}

const fn class_name(class: WorkerType) -> &'static str {
    match class {
        WorkerType::Cpu => "CPU",
        WorkerType::Gpu => "GPU",
        _ => "none",
    }
}
