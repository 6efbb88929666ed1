//! The types of tasks, as far as scheduling tells them apart.

use std::fmt;

/// The type of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the SP1 task type of its name")]
pub enum TaskKind {
    Controller,
    CoreExecute,
    ExecuteOnly,
    SetupVkey,
    ProveShard,
    RecursionDeferred,
    RecursionReduce,
    ShrinkWrap,
    PlonkWrap,
    Groth16Wrap,
    UtilVkeyMapController,
    UtilVkeyMapChunk,
}

impl TaskKind {
    /// Every type.
    pub const ALL: [Self; 12] = [
        Self::Controller,
        Self::CoreExecute,
        Self::ExecuteOnly,
        Self::SetupVkey,
        Self::ProveShard,
        Self::RecursionDeferred,
        Self::RecursionReduce,
        Self::ShrinkWrap,
        Self::PlonkWrap,
        Self::Groth16Wrap,
        Self::UtilVkeyMapController,
        Self::UtilVkeyMapChunk,
    ];

    /// The name that users see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Controller => "Controller",
            Self::CoreExecute => "CoreExecute",
            Self::ExecuteOnly => "ExecuteOnly",
            Self::SetupVkey => "SetupVkey",
            Self::ProveShard => "ProveShard",
            Self::RecursionDeferred => "RecursionDeferred",
            Self::RecursionReduce => "RecursionReduce",
            Self::ShrinkWrap => "ShrinkWrap",
            Self::PlonkWrap => "PlonkWrap",
            Self::Groth16Wrap => "Groth16Wrap",
            Self::UtilVkeyMapController => "UtilVkeyMapController",
            Self::UtilVkeyMapChunk => "UtilVkeyMapChunk",
        }
    }

    /// How close to the end of its proof a task of this type is: what is further goes first, since it frees the most. What everything else of the proof waits for goes
    /// before all.
    pub const fn stage(self) -> u8 {
        match self {
            Self::SetupVkey => 9,
            Self::Controller | Self::CoreExecute | Self::ExecuteOnly => 8,
            Self::PlonkWrap | Self::Groth16Wrap => 7,
            Self::ShrinkWrap => 6,
            Self::RecursionReduce => 5,
            Self::RecursionDeferred => 4,
            Self::ProveShard => 3,
            Self::UtilVkeyMapController => 2,
            Self::UtilVkeyMapChunk => 1,
        }
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
