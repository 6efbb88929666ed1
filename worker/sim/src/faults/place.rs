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
    /// All is done, nothing reported. For Controller and ExecuteOnly: before CompleteProof.
    Report,
    /// The coordinator has taken the result; the worker has not read the answer. For Controller and ExecuteOnly: to CompleteProof.
    Reported,
}

/// A call to the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is the call of its name")]
pub enum Call {
    /// Every call below.
    Any,
    Open,
    Heartbeat,
    Close,
    CreateTask,
    CompleteTask,
    FailTask,
    CompleteProof,
    OpenSub,
    UpdateSub,
    AckSub,
    SubscribeTaskMessages,
    SendTaskMessage,
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

impl Call {
    /// Whether its answer is a stream, which cannot arrive twice.
    pub(crate) fn opens_a_stream(self) -> bool {
        matches!(
            self,
            Self::Open | Self::OpenSub | Self::SubscribeTaskMessages
        )
    }
}
