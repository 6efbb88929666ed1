//! What the command line says of tasks, for each type of them: `ProveShard=45m`.

mod timeout;
mod weight;

use std::time::Duration;

use provost_coordinator::{Config, TaskKind};

pub use timeout::{TaskTimeout, TimeoutError, duration};
pub use weight::{TaskWeight, WeightError};

/// Why the part before the value makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// There is no `=`.
    #[error("{text:?} has no =: write TYPE={value}, such as {example}")]
    Form {
        /// What was said.
        text: String,
        /// What is to be there.
        value: &'static str,
        /// The whole, as it could be.
        example: &'static str,
    },
    /// No task is of that type.
    #[error("no task type {0:?}: there are {all}", all = names())]
    Type(String),
}

fn names() -> String {
    TaskKind::ALL.map(TaskKind::name).join(", ")
}

/// Takes `TYPE=value` apart.
fn parse<'a>(
    text: &'a str,
    value: &'static str,
    example: &'static str,
) -> Result<(TaskKind, &'a str), TypeError> {
    let (kind, said) = text.split_once('=').ok_or_else(|| TypeError::Form {
        text: text.to_owned(),
        value,
        example,
    })?;
    let found = TaskKind::ALL.into_iter().find(|k| k.name() == kind);
    let kind = found.ok_or_else(|| TypeError::Type(kind.to_owned()))?;
    Ok((kind, said))
}

/// The coordinator's settings, with these in place of its own. Of what is said twice of a type the last counts.
pub(crate) fn coordinator(
    timeouts: &[TaskTimeout],
    standstill: Duration,
    weights: &[TaskWeight],
) -> Config {
    let mut config = Config {
        progress_limit: standstill,
        ..Config::default()
    };
    for timeout in timeouts {
        let millis = u64::try_from(timeout.limit.as_millis()).unwrap_or(u64::MAX);
        config.timeouts.set(timeout.kind, millis);
    }
    for weight in weights {
        config.weights.set(weight.kind, weight.gib);
    }
    config
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use provost_proto::worker::TaskType;

    use super::*;

    #[test]
    fn what_is_said_takes_the_place_of_the_coordinators_own() {
        let timeouts = ["ProveShard=45m", "Controller=1h 30m"].map(|text| text.parse().unwrap());
        let weights = ["CoreExecute=6", "ProveShard=10"].map(|text| text.parse().unwrap());
        let config = coordinator(&timeouts, Duration::from_secs(60), &weights);
        let of = |kind| config.timeouts.of(kind);
        assert_eq!(of(TaskKind::ProveShard), 45 * 60_000);
        assert_eq!(of(TaskKind::Controller), 90 * 60_000);
        let default = Config::default();
        assert_eq!(
            of(TaskKind::SetupVkey),
            default.timeouts.of(TaskKind::SetupVkey)
        );
        assert_eq!(config.progress_limit, Duration::from_secs(60));
        let of = |kind| config.weights.of(kind);
        assert_eq!(
            (of(TaskType::CoreExecute), of(TaskType::ProveShard)),
            (6, 10)
        );
        assert_eq!(
            of(TaskType::Controller),
            default.weights.of(TaskType::Controller)
        );
        assert_eq!(
            coordinator(&[], default.progress_limit, &[]),
            default,
            "nothing said"
        );
    }
}
