//! The kinds of failures.

use std::fmt;
use std::str::FromStr;

/// The kind of a failure. It decides whether a task is tried again, and is the reason that users, metrics and events show.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum FailureClass {
    /// The pod was told to go: drain, scale-down, spot reclaim, recycling.
    Preempted,
    /// The worker is gone or silent, for no known reason.
    NodeLost,
    /// The worker was killed for its memory.
    OutOfMemory,
    /// The artifact store did not answer for longer than the worker waits, or is full.
    StoreUnavailable,
    /// Something that another attempt may well not meet.
    Transient,
    /// A task took longer than it may.
    Timeout,
    /// The program or its input is at fault: every attempt ends the same.
    ProgramFault,
    /// A proof was made that does not verify.
    InvalidProof,
    /// Ours.
    Bug,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 9] = [
        Self::Preempted,
        Self::NodeLost,
        Self::OutOfMemory,
        Self::StoreUnavailable,
        Self::Transient,
        Self::Timeout,
        Self::ProgramFault,
        Self::InvalidProof,
        Self::Bug,
    ];

    /// Stable CamelCase name: a metric label, an event's and a condition's reason.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Preempted => "Preempted",
            Self::NodeLost => "NodeLost",
            Self::OutOfMemory => "OutOfMemory",
            Self::StoreUnavailable => "StoreUnavailable",
            Self::Transient => "Transient",
            Self::Timeout => "Timeout",
            Self::ProgramFault => "ProgramFault",
            Self::InvalidProof => "InvalidProof",
            Self::Bug => "Bug",
        }
    }

    /// Whether the class says that a worker went away, not that a task failed.
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::Preempted | Self::NodeLost | Self::OutOfMemory)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// Text that names no failure class.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a failure class")]
pub struct UnknownClass(String);

impl FromStr for FailureClass {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        Self::ALL
            .into_iter()
            .find(|class| class.reason() == text)
            .ok_or_else(|| UnknownClass(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_read_back_from_their_names() {
        for class in FailureClass::ALL {
            assert_eq!(class.reason().parse::<FailureClass>().unwrap(), class);
        }
        assert!("Other".parse::<FailureClass>().is_err());
    }
}
