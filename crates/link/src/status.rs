//! What a link tells of itself.

use std::sync::Arc;

/// A link now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The replicas that have answered, by address.
    pub replicas: Arc<[Replica]>,
    /// The name of the replica that leads, if there is a stream to it.
    pub leader: Option<Arc<str>>,
    /// The highest epoch seen; 0 for none.
    pub epoch: u64,
    /// Whether the worker takes no more tasks.
    pub draining: bool,
    /// How much the worker keeps.
    pub kept: Counts,
}

/// A replica that there is a stream to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Its own name.
    pub name: String,
    /// Its address, `ip:port`.
    pub address: String,
    /// The epoch in which it says that it leads; 0 if it does not.
    pub epoch: u64,
}

/// How much a worker keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks that run.
    pub running: usize,
    /// Results that the coordinator may still need.
    pub results: usize,
    /// Tasks created here that are not final.
    pub created: usize,
    /// Tasks whose result is awaited.
    pub awaited: usize,
    /// Results that have come, for whoever asks later.
    pub known: usize,
    /// Messages of channels fed here.
    pub messages: usize,
    /// Their bytes.
    pub message_bytes: usize,
    /// Ends of proofs that are not stored yet.
    pub conclusions: usize,
}

impl Counts {
    /// Whether the coordinator would miss nothing if the process ended now.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether all that ended here has been taken note of: no task runs, no result and no conclusion waits. What is left is
    /// kept for runs that go on elsewhere.
    pub fn is_flushed(&self) -> bool {
        self.running == 0 && self.results == 0 && self.conclusions == 0
    }
}
