//! How long tasks may take, as it is told on the command line.

use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use provost_coordinator::{Config, TaskKind};

/// No task of a proof is worth waiting for longer.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Why a time limit makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeoutError {
    /// There is no `=`.
    #[error("{0:?} has no =: write TYPE=DURATION, such as ProveShard=45m")]
    Form(String),
    /// No task is of that type.
    #[error("no task type {0:?}: there are {all}", all = names())]
    Type(String),
    /// It is no duration, or none between a second and 30 days.
    #[error("{0:?} is no duration between 1s and 30 days: write it like 90s, 45m or 1h30m")]
    Duration(String),
}

fn names() -> String {
    TaskKind::ALL.map(TaskKind::name).join(", ")
}

/// How long an attempt at a task of one type may take: `ProveShard=45m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskTimeout {
    kind: TaskKind,
    limit: Duration,
}

impl FromStr for TaskTimeout {
    type Err = TimeoutError;

    fn from_str(text: &str) -> Result<Self, TimeoutError> {
        let (kind, limit) = text
            .split_once('=')
            .ok_or_else(|| TimeoutError::Form(text.to_owned()))?;
        let found = TaskKind::ALL.into_iter().find(|k| k.name() == kind);
        let kind = found.ok_or_else(|| TimeoutError::Type(kind.to_owned()))?;
        let limit = duration(limit)?;
        Ok(Self { kind, limit })
    }
}

/// A duration between a second and 30 days.
///
/// # Errors
/// [`TimeoutError::Duration`].
pub fn duration(text: &str) -> Result<Duration, TimeoutError> {
    let wrong = || TimeoutError::Duration(text.to_owned());
    let found: SignedDuration = text.parse().map_err(|_| wrong())?;
    if found < SignedDuration::from_secs(1) || found > LONGEST {
        return Err(wrong());
    }
    Duration::try_from(found).map_err(|_| wrong())
}

/// The coordinator's settings, with these limits in place of its own.
pub(crate) fn coordinator(tasks: &[TaskTimeout], standstill: Duration) -> Config {
    let mut config = Config {
        progress_limit: standstill,
        ..Config::default()
    };
    for TaskTimeout { kind, limit } in tasks {
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        config.timeouts.set(*kind, millis);
    }
    config
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn limits_take_the_place_of_the_coordinators() {
        let tasks = ["ProveShard=45m", "Controller=1h 30m"].map(|text| text.parse().unwrap());
        let config = coordinator(&tasks, Duration::from_secs(60));
        let of = |kind| config.timeouts.of(kind);
        assert_eq!(of(TaskKind::ProveShard), 45 * 60_000);
        assert_eq!(of(TaskKind::Controller), 90 * 60_000);
        let default = Config::default();
        assert_eq!(
            of(TaskKind::SetupVkey),
            default.timeouts.of(TaskKind::SetupVkey)
        );
        assert_eq!(config.progress_limit, Duration::from_secs(60));
        assert_eq!(
            coordinator(&[], default.progress_limit),
            default,
            "nothing said"
        );
    }

    #[test]
    fn errors_name_the_fix() {
        let error = |text: &str| text.parse::<TaskTimeout>().unwrap_err().to_string();
        assert!(error("ProveShard").contains("TYPE=DURATION"));
        assert!(error("Shard=1m").contains("there are Controller, CoreExecute,"));
        for limit in ["45", "", "0s", "-1m", "31d", "800h", "forever"] {
            let text = format!("ProveShard={limit}");
            assert!(error(&text).contains("write it like"), "{text}");
        }
    }
}
