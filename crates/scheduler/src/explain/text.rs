//! Where a task stands, in words: the one place that makes text of it.

use std::fmt::{self, Write as _};

use super::{Standing, Unschedulable};

/// The names of what the scheduler knows by number, and what else the words need.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// The task, such as `PlonkWrap`.
    pub task: &'a str,
    /// The pool of the largest worker, where there is one.
    pub pool: Option<&'a str>,
    /// What the task requires of a worker, such as `SP1 6.10.0`.
    pub requirement: &'a str,
    /// The worker that is meant, such as the name of its pod.
    pub worker: &'a str,
    /// Memory that a worker's own roles take up at rest, in GiB: what to add to a weight to get the memory of a pod.
    pub at_rest: u32,
}

impl Standing {
    /// For people: where the task stands and, where waiting does not help, what does.
    pub fn text(&self, names: &Names<'_>) -> String {
        let Names { task, worker, .. } = names;
        match self {
            Self::Runs { .. } => format!("{task} runs on {worker}"),
            Self::Adrift => format!("{task} has lost its worker"),
            Self::Unschedulable(why) => why.text(names),
            Self::BackOff { .. } => format!("{task} waits a moment after a failed attempt"),
            Self::AtCap { parallelism } => {
                format!(
                    "{task} waits: the proof has {parallelism} tasks on provers, as many as it may"
                )
            }
            Self::Unavailable { workers: 1 } => {
                format!("{task} waits: the one worker for it takes no tasks at present")
            }
            Self::Unavailable { workers } => {
                format!("{task} waits: none of the {workers} workers for it takes tasks at present")
            }
            Self::Behind { urgent: true, .. } => {
                format!("{task} waits behind proofs that are nearer to their deadline")
            }
            Self::Behind { priority, .. } => {
                format!("{task} waits behind proofs of priority {priority}")
            }
            Self::Reserved { .. } => {
                format!("{task} waits: {worker} is kept for it, and finishes what it has")
            }
            Self::Busy {
                workers: 1,
                waiting,
            } => format!("{task} waits for room on one worker, among {waiting} tasks like it"),
            Self::Busy { workers, waiting } => {
                format!(
                    "{task} waits for room on any of {workers} workers, among {waiting} tasks like it"
                )
            }
        }
    }
}

impl Unschedulable {
    /// For people: what is missing, and what to do about it.
    pub fn text(&self, names: &Names<'_>) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text, names);
        text
    }

    fn write(&self, f: &mut String, names: &Names<'_>) -> fmt::Result {
        let Names {
            task, requirement, ..
        } = names;
        match *self {
            Self::NoWorker { class } => write!(
                f,
                "{task} needs a worker of class {class}, and none is registered: add a pool of class {class}"
            ),
            Self::NoMatch { class, workers, .. } => write!(
                f,
                "{task} needs a {class} worker with {requirement}, and none of {workers} has it: add a pool that does"
            ),
            Self::TooLarge {
                class,
                weight,
                children,
                largest,
                ..
            } => {
                write!(f, "{task} needs weight {weight}")?;
                if children > 0 {
                    write!(f, " and {children} more for what it starts")?;
                }
                write!(f, ", largest {class} worker has {largest}: ")?;
                let needed = weight.saturating_add(children);
                raise(f, names, needed)
            }
            Self::OutOfMemory {
                class,
                min_capacity,
                largest,
                ..
            } => {
                write!(
                    f,
                    "{task} ran out of memory and needs a worker of more than {}, largest {class} worker has {largest}: ",
                    min_capacity.saturating_sub(1)
                )?;
                raise(f, names, min_capacity)
            }
        }
    }
}

/// The fix for too little memory.
fn raise(f: &mut String, names: &Names<'_>, needed: u32) -> fmt::Result {
    let memory = needed.saturating_add(names.at_rest);
    match names.pool {
        Some(pool) => write!(f, "raise pool {pool}'s memory to {memory}Gi"),
        None => write!(f, "give a pool {memory}Gi of memory"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;

    #[test]
    fn it_names_the_fix() {
        let why = Unschedulable::TooLarge {
            class: Class::Cpu,
            weight: 32,
            children: 0,
            largest: 24,
            pool: None,
        };
        let names = Names {
            task: "PlonkWrap",
            pool: Some("cpu"),
            at_rest: 1,
            ..Names::default()
        };
        assert_eq!(
            why.text(&names),
            "PlonkWrap needs weight 32, largest CPU worker has 24: raise pool cpu's memory to 33Gi"
        );
    }
}
