//! `--mode` in any letter case.

use clap::ValueEnum;
use provost_crds::Mode;

/// What a proof request produces; see `spec.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Run the program and report cycles, exit code and public values; no proof
    Execute,
    /// A list of shard proofs: the fastest, grows with the cycles
    Core,
    /// One proof of constant size
    Compressed,
    /// A Groth16 proof, for a chain
    Groth16,
    /// A Plonk proof, for a chain
    Plonk,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Execute => Self::Execute,
            ModeArg::Core => Self::Core,
            ModeArg::Compressed => Self::Compressed,
            ModeArg::Groth16 => Self::Groth16,
            ModeArg::Plonk => Self::Plonk,
        }
    }
}
