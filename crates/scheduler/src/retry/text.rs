//! Why a task is not tried again, in words.

use super::{FailureClass, GiveUp};

impl GiveUp {
    /// For people. `task` names the task, `place` says more of the worker, such as `pool small, memory limit 3Gi`, or is empty.
    pub fn text(&self, class: FailureClass, task: &str, place: &str) -> String {
        let place = match place {
            "" => String::new(),
            place => format!(" ({place})"),
        };
        let vanished = match class {
            FailureClass::OutOfMemory => "ran out of memory on",
            _ => "was on",
        };
        match self {
            Self::Final => format!("{task} would fail the same way again{place}"),
            Self::Retries { attempts } => {
                format!("{task} failed {attempts} times, the last{place}")
            }
            Self::Poison { workers } if class == FailureClass::OutOfMemory => {
                format!("{task} {vanished} {workers} workers{place}: raise the pool's memory")
            }
            Self::Poison { workers } => {
                format!("{task} {vanished} {workers} workers when they vanished{place}")
            }
            Self::Losses { losses } => format!("{task} lost its worker {losses} times{place}"),
            Self::Preemptions { preemptions } => format!(
                "{task} was interrupted {preemptions} times by workers that were told to go{place}: give it a pool that stays"
            ),
            Self::OutOfMemory { capacity } => format!(
                "{task} ran out of memory again on a larger worker, of {capacity} GiB{place}: raise the pool's memory"
            ),
            Self::StoreAway { millis } => format!(
                "{task} could not reach the artifact store for {} s{place}",
                millis / 1_000
            ),
            Self::InvalidTwice => {
                format!("{task} made a proof that does not verify, twice{place}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_helps() {
        let why = GiveUp::OutOfMemory { capacity: 48 };
        let text = why.text(FailureClass::OutOfMemory, "CoreExecute", "pool big");
        assert_eq!(
            text,
            "CoreExecute ran out of memory again on a larger worker, of 48 GiB (pool big): raise the pool's memory"
        );
        let why = GiveUp::Poison { workers: 3 };
        let text = why.text(FailureClass::NodeLost, "ProveShard", "");
        assert_eq!(text, "ProveShard was on 3 workers when they vanished");
    }
}
