//! Why a task or a proof failed.

use std::{fmt, str::FromStr};

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The class of a failure. It decides whether and where the work is tried again; its name is the
/// reason of the condition, of the event and of the metric.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum FailureClass {
    /// The worker was asked to go (spot reclaim, drain, scale down).
    Preempted,
    /// The worker or its node vanished.
    NodeLost,
    /// The worker was killed at its memory limit.
    OutOfMemory,
    /// The artifact store could not be reached for longer than the client retries.
    StoreUnavailable,
    /// A fault of the infrastructure that is likely to pass.
    Transient,
    /// The work took longer than it may.
    Timeout,
    /// The program or its input is at fault: not an ELF, a trap, a non-zero exit, a limit exceeded.
    ProgramFault,
    /// A proof was made but does not verify.
    InvalidProof,
    /// Provost or the prover contradicts itself.
    Bug,
}

impl FailureClass {
    /// All classes, in the order of the API.
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

    /// The CamelCase name, as in the API and as a condition's reason.
    pub const fn as_str(self) -> &'static str {
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
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A string that names no [`FailureClass`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a failure class")]
pub struct UnknownFailureClass(pub String);

impl FromStr for FailureClass {
    type Err = UnknownFailureClass;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == s)
            .ok_or_else(|| UnknownFailureClass(s.to_owned()))
    }
}

/// The failure that ended a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What kind of failure it was: Preempted, NodeLost, OutOfMemory, StoreUnavailable, Transient,
    /// Timeout, ProgramFault, InvalidProof or Bug. ProgramFault is the only one that the program or its
    /// input causes; any other means that the retries were used up.
    pub class: FailureClass,
    /// Id of the task that failed. Absent if the proof failed before it had a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub task: Option<String>,
    /// Type of the task that failed, for example ProveShard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub task_type: Option<String>,
    /// What happened, for people.
    #[schemars(length(max = 4096))]
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_reads_back_and_serialises_as_its_name() {
        for class in FailureClass::ALL {
            assert_eq!(class.as_str().parse(), Ok(class));
            assert_eq!(serde_json::to_value(class).unwrap(), class.to_string());
        }
    }

    #[test]
    fn an_unknown_class_is_named_in_the_error() {
        let error = "programfault".parse::<FailureClass>().unwrap_err();
        assert_eq!(error.to_string(), "\"programfault\" is not a failure class");
    }
}
