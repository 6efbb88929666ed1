//! A proof as it is submitted.

use provost_proto::worker::TaskType;

use crate::Millis;
use crate::ids::ProofId;

/// A proof to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofSpec {
    /// Its name; a second submission under the same name changes nothing.
    pub proof_id: ProofId,
    /// What its root does.
    pub kind: Root,
    /// The root task's inputs.
    pub inputs: Vec<String>,
    /// The root task's outputs.
    pub outputs: Vec<String>,
    /// Who asked for it: the workers are shared out fairly among requesters, and among the proofs of each.
    pub requester: String,
    /// Higher goes first.
    pub priority: i32,
    /// When it was asked for.
    pub created_at_ms: Millis,
    /// Tasks that may run at once on provers; `None` is the coordinator's default.
    pub parallelism: Option<u32>,
    /// Retries of a failed task; `None` is the coordinator's default.
    pub max_retries: Option<u32>,
    /// When it is wanted: it goes before others of its priority once the time until then is hardly longer than the rest of it takes. Nothing happens then if
    /// it has not ended.
    pub deadline_ms: Option<Millis>,
    /// When it fails with Timeout, if it has not ended. Without a deadline, that is the deadline.
    pub expires_at_ms: Option<Millis>,
    /// The number of its first run: 0, or for a proof that was forgotten and comes again one above all that it had. What a worker of an earlier life still says is told apart
    /// by that.
    pub first_run: u32,
}

impl ProofSpec {
    /// A proof of which nothing else is said: nobody in particular asked for it, at the epoch, with no more than the defaults.
    pub fn new(proof_id: impl Into<ProofId>, kind: Root) -> Self {
        Self {
            proof_id: proof_id.into(),
            kind,
            inputs: Vec::new(),
            outputs: Vec::new(),
            requester: String::new(),
            priority: 0,
            created_at_ms: 0,
            parallelism: None,
            max_retries: None,
            deadline_ms: None,
            expires_at_ms: None,
            first_run: 0,
        }
    }

    /// When it has to be there.
    pub(crate) fn due(&self) -> Option<Millis> {
        self.deadline_ms.or(self.expires_at_ms)
    }
}

/// What a proof's root task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// Makes a proof: a Controller.
    Prove,
    /// Only executes: an ExecuteOnly.
    Execute,
    /// There is no root: tasks are created from outside, one by one. Such a proof is never begun again.
    None,
}

impl Root {
    /// The type of the root task.
    pub const fn task_type(self) -> Option<TaskType> {
        match self {
            Self::Prove => Some(TaskType::Controller),
            Self::Execute => Some(TaskType::ExecuteOnly),
            Self::None => None,
        }
    }
}
