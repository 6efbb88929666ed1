//! How long tasks may take.

use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use provost_coordinator::TaskKind;

use super::{TypeError, parse};

/// No task of a proof is worth waiting for longer.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Why a time limit makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeoutError {
    /// Its form, or the type.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// It is no duration, or none between a second and 30 days.
    #[error("{0:?} is no duration between 1s and 30 days: write it like 90s, 45m or 1h30m")]
    Duration(String),
}

/// How long an attempt at a task of one type may take: `ProveShard=45m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskTimeout {
    pub(super) kind: TaskKind,
    pub(super) limit: Duration,
}

impl FromStr for TaskTimeout {
    type Err = TimeoutError;

    fn from_str(text: &str) -> Result<Self, TimeoutError> {
        let (kind, limit) = parse(text, "DURATION", "ProveShard=45m")?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
