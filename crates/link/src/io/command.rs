//! What callers ask of the link.

use bytes::Bytes;
use provost_proto::link as proto;
use tokio::sync::{mpsc, oneshot};

use crate::error::Ended;
use crate::order::{Order, Outcome, Role};
use crate::state::{ListenerId, Millis, WatcherId};
use crate::{Run, listener, watcher};

/// A call of a [`crate::Link`] or of a consumer.
#[derive(Debug)]
pub(crate) enum Command {
    AddRole {
        role: Role,
        sink: mpsc::UnboundedSender<Order>,
    },
    DeviceMemory {
        free_bytes: u64,
    },
    Create {
        run: Run,
        create: proto::Create,
    },
    Ended {
        task_id: String,
        serial: u64,
        outcome: Outcome,
    },
    Marker {
        run: Run,
        task_id: String,
    },
    Conclude {
        run: Run,
        conclude: proto::Conclude,
        reply: oneshot::Sender<Result<(), Ended>>,
    },
    Watch {
        run: Run,
        watcher: WatcherId,
        sink: mpsc::UnboundedSender<watcher::Item>,
    },
    Want {
        run: Run,
        watcher: WatcherId,
        task_ids: Vec<String>,
    },
    Took {
        run: Run,
        task_id: String,
    },
    Unwatch {
        run: Run,
        watcher: WatcherId,
    },
    Say {
        run: Run,
        task_id: String,
        payload: Bytes,
    },
    Listen {
        run: Run,
        listener: ListenerId,
        task_id: String,
        from: u64,
        sink: mpsc::UnboundedSender<listener::Item>,
    },
    Unlisten {
        run: Run,
        listener: ListenerId,
    },
    /// With what is left of the process's life, in milliseconds.
    Drain {
        grace: Option<Millis>,
    },
}
