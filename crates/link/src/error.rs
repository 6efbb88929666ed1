//! What can go wrong.

/// Why a link cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration names no replica.
    #[error("no coordinator address is given")]
    NoAddress,
    /// An address is not of the form `http://host:port`.
    #[error("{0:?} is no coordinator address: http://host:port is expected")]
    Address(String),
    /// The thread for input and output cannot be made.
    #[error("cannot start the link's thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl StartError {
    /// Stable CamelCase name.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoAddress => "NoAddress",
            Self::Address(_) => "Address",
            Self::Thread(_) => "Thread",
        }
    }
}

/// Why what a task waits for will never come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The run is over: nobody needs its tasks any more. Not a failure.
    #[error("run {run} of proof {proof_id} is over")]
    RunOver {
        /// The proof.
        proof_id: String,
        /// The run.
        run: u32,
    },
    /// The coordinator takes it for a mistake.
    #[error("the coordinator refuses it ({reason}): {message}")]
    Refused {
        /// The coordinator's CamelCase name of the reason.
        reason: String,
        /// For people.
        message: String,
    },
    /// The link has stopped.
    #[error("the link to the coordinator has stopped")]
    Closed,
}

impl Ended {
    /// Stable CamelCase name.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::RunOver { .. } => "RunOver",
            Self::Refused { .. } => "Refused",
            Self::Closed => "Closed",
        }
    }

    pub(crate) fn run_over(run: &crate::Run) -> Self {
        Self::RunOver {
            proof_id: run.proof_id().to_owned(),
            run: run.number(),
        }
    }
}
