//! What the reactor says to the world: the commands that an event leads to.

use bytes::Bytes;
use provost_proto::link::down_message;
use provost_proto::worker::{
    CancelTask, ServerHeartbeat, ServerMessage, ServerSubMessage, TaskData, WorkerTask,
    server_message,
};

use crate::events::WorkerEvent;
use crate::ids::{ConnId, ProofId, SubId, TaskId, WorkerId};
use crate::state::{ProofOutcome, ProofProgress, RunStart, TaskChange};

/// Where commands go. The real one hands them to streams and to the state without waiting; tests record them.
pub(crate) trait Output {
    /// Something for a worker's stream. Lost if the stream is broken.
    fn send(&mut self, worker: &WorkerId, order: Order);

    /// The worker's stream ends.
    fn close_worker(&mut self, worker: &WorkerId);

    /// Something for a subscription's stream. Lost if the stream is broken.
    fn push(&mut self, sub: &SubId, message: ServerSubMessage);

    /// The subscription's stream ends, after what was pushed.
    fn close_sub(&mut self, sub: &SubId);

    /// The next message for a reader of a channel.
    fn message(&mut self, reader: ConnId, payload: Bytes);

    /// The reader's stream ends, after the messages.
    fn end_reader(&mut self, reader: ConnId, end: ReaderEnd);

    /// Something for a process that is joined by the native door. Lost if that stream is broken.
    fn tell(&mut self, conn: ConnId, message: down_message::Message);

    /// That stream ends.
    fn close_link(&mut self, conn: ConnId);

    /// A run of a proof begins: store that, then say so by the event `run_stored`.
    fn begin_run(&mut self, start: RunStart);

    /// A worker knows a leader of a later epoch.
    fn deposed(&mut self, epoch: u64);

    /// Something happened to a task.
    fn record(&mut self, change: TaskChange);

    /// How far a proof is.
    fn progress(&mut self, progress: ProofProgress);

    /// A proof ended: store it, then say so by the event `proof_stored`.
    fn finish(&mut self, outcome: ProofOutcome);

    /// A proof's outcome is stored, or nobody wants it: whoever waits for that may go on.
    fn settled(&mut self, proof: &ProofId);

    /// Something happened to a worker.
    fn event(&mut self, event: WorkerEvent);
}

/// What a worker of the unary door is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// To run a task.
    Run {
        task: TaskId,
        /// Encoded. Whoever sends it takes it apart: not the reactor, which others wait for.
        data: Bytes,
    },
    /// To stop one.
    Cancel { proof: ProofId, task: TaskId },
    /// Nothing: that the server is there.
    Beat,
}

impl From<Order> for ServerMessage {
    fn from(order: Order) -> Self {
        use server_message::Message;
        let message = match order {
            Order::Run { task, data } => Message::NewTask(WorkerTask {
                task_id: task.to_string(),
                // It was encoded here, or read before it was taken.
                data: TaskData::from_bytes(&data).ok(),
                metadata: String::new(),
            }),
            Order::Cancel { proof, task } => Message::CancelTask(CancelTask {
                proof_id: proof.to_string(),
                task_id: task.to_string(),
            }),
            Order::Beat => Message::ServerHeartbeat(ServerHeartbeat {}),
        };
        Self {
            message: Some(message),
        }
    }
}

/// Why a reader's stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReaderEnd {
    /// The producer is done: these were all messages.
    Complete,
    /// The producer's run is over before it was done. Never to be taken for the end of the messages: who did would go on with too few.
    RunOver,
}
