//! Which run of which proof.

use std::fmt;
use std::sync::Arc;

use provost_proto::link as proto;

/// One run of a proof. A proof whose Controller begins again is in another run, with a higher number; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Run {
    proof_id: Arc<str>,
    number: u32,
}

impl Run {
    /// Run `number` of the proof.
    pub fn new(proof_id: impl Into<Arc<str>>, number: u32) -> Self {
        Self {
            proof_id: proof_id.into(),
            number,
        }
    }

    /// The proof.
    pub fn proof_id(&self) -> &str {
        &self.proof_id
    }

    /// Which of its runs.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The run that a message names; one that names none is the empty proof's.
    pub(crate) fn named(run: Option<proto::Run>) -> Self {
        let proto::Run { proof_id, run } = run.unwrap_or_default();
        Self::new(proof_id, run)
    }

    pub(crate) fn to_proto(&self) -> proto::Run {
        proto::Run {
            proof_id: self.proof_id().to_owned(),
            run: self.number,
        }
    }

    /// The first run that the same proof can have.
    pub(crate) fn first(&self) -> Self {
        Self {
            proof_id: self.proof_id.clone(),
            number: 0,
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.proof_id, self.number)
    }
}
