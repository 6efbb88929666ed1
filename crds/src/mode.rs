//! What a ProofRequest makes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a ProofRequest makes.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum Mode {
    /// Runs the program, makes no proof.
    Execute,
    /// One proof for each shard.
    Core,
    /// One proof of constant size.
    #[default]
    Compressed,
    /// A Groth16 proof over BN254.
    Groth16,
    /// A Plonk proof over BN254.
    Plonk,
}

impl Mode {
    /// All modes, in the order of the API.
    pub const ALL: [Self; 5] = [
        Self::Execute,
        Self::Core,
        Self::Compressed,
        Self::Groth16,
        Self::Plonk,
    ];

    /// The name, as in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Execute => "Execute",
            Self::Core => "Core",
            Self::Compressed => "Compressed",
            Self::Groth16 => "Groth16",
            Self::Plonk => "Plonk",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
