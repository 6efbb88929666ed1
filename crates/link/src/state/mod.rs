//! What a worker keeps, and what it says because of what happens. No I/O and no clock: each function takes one event and
//! adds to a list of [`Effect`]s.
//!
//! * [`streams`]: the replicas, the epoch, who leads.
//! * [`running`]: tasks that run, and how they ended.
//! * [`children`]: tasks created here, and results awaited here.
//! * [`channels`]: messages of tasks, fed and heard here.
//! * [`conclusions`]: ends of proofs.
//! * [`runs`]: which runs are over.
//! * [`report`]: all that still counts, for a leader that does not know it.
//!
//! What is said goes to the leader alone. While there is none nothing is said: it is kept, and the next leader's report has it.

mod channels;
mod children;
mod conclusions;
mod hear;
mod kept;
mod report;
mod running;
pub(crate) mod runs;
mod streams;
#[cfg(test)]
mod tests;

pub(crate) use kept::{About, Kept};

use bytes::Bytes;
use provost_proto::link::up_message::Message;
use provost_proto::worker::{TaskData, TaskStatus};

use crate::Run;
use crate::error::Ended;

/// Milliseconds on a clock that never goes back.
pub(crate) type Millis = u64;

/// One stream to a replica: every connection has another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StreamId(pub(crate) u64);

/// A consumer of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WatcherId(pub(crate) u64);

/// A consumer of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ListenerId(pub(crate) u64);

/// What is to be done because of an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Put this into the stream's queue.
    Send(StreamId, Message),
    /// Give this task to the role's consumer.
    Start(Start),
    /// Tell whoever runs the task that nobody needs it.
    Cancel { task_id: String, serial: u64 },
    /// A watched task is final.
    Result {
        watcher: WatcherId,
        run: Run,
        task_id: String,
        status: TaskStatus,
    },
    /// The run is over: the watcher gets no more results.
    Unwatched { watcher: WatcherId, run: Run },
    /// The next message of a channel.
    Heard {
        listener: ListenerId,
        payload: Bytes,
    },
    /// The channel has ended, or its run is over.
    Silent {
        listener: ListenerId,
        over: Option<Run>,
    },
    /// The end of a proof is stored, or will never be.
    Concluded { run: Run, result: Result<(), Ended> },
    /// A task of this run was ordered.
    Began(Run),
    /// This run of the proof and all before it are over.
    Over(Run),
}

/// A task to start.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Start {
    pub(crate) run: Run,
    pub(crate) task_id: String,
    pub(crate) attempt: u32,
    pub(crate) role: String,
    pub(crate) data: TaskData,
    /// Tells two starts of the same task apart.
    pub(crate) serial: u64,
}
