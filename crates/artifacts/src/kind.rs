//! What an artifact is, which decides where it is kept.

/// What an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An ELF.
    Program,
    /// An `SP1Stdin`.
    Stdin,
    /// An `SP1Stdin` that its owner marked as private.
    PrivateStdin,
    /// A finished proof.
    Proof,
    /// Anything that tasks hand to each other.
    Artifact,
    /// The mark of the cluster that the store belongs to: no artifact.
    Owner,
}

impl Kind {
    /// All kinds of artifacts.
    pub const ALL: [Self; 5] = [
        Self::Program,
        Self::Stdin,
        Self::PrivateStdin,
        Self::Proof,
        Self::Artifact,
    ];

    /// Where objects of this kind are kept: the part of the key before the id, with its slash.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Program => "programs/",
            Self::Stdin => "stdins/",
            Self::PrivateStdin => "private-stdins/",
            Self::Proof => "proofs/",
            Self::Artifact => "artifacts/",
            Self::Owner => "owners/",
        }
    }

    /// The object's key.
    pub fn key(self, id: &str) -> String {
        format!("{}{id}", self.prefix())
    }
}
