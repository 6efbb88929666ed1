//! Where a fault may strike.

use serde::{Deserialize, Serialize};

/// A point of a task's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Point {
    /// At once, when the fault is added. Only for what happens to a worker or to the process.
    Now,
    /// The order has arrived; nothing is done.
    Receipt,
    /// Half of the time has passed.
    Running,
    /// CoreExecute has sent its first message.
    FirstMessage,
    /// CoreExecute has sent its last message.
    LastMessage,
    /// The outputs are in the store; inputs are not deleted yet.
    Stored,
    /// All is done, nothing reported. For Controller and ExecuteOnly: before they conclude the proof.
    Report,
    /// The coordinator has taken note of the result. For Controller and ExecuteOnly: the end of the proof is stored, their own is not reported.
    Reported,
}

/// Something that a task says to the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// Every call below.
    Any,
    /// A task is created.
    Create,
    /// A task has ended.
    Done,
    /// A marker is complete.
    Marker,
    /// A proof is made.
    Conclude,
    /// A task's result is wanted.
    Watch,
    /// A message for a task's channel.
    Say,
    /// A task's channel is wanted.
    Listen,
}

/// An operation of the artifact store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "each is the operation of its name")]
pub enum StoreOp {
    /// Every operation below.
    Any,
    Put,
    Get,
    Head,
    Delete,
}
