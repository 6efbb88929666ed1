//! Hearing a task's messages.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::Run;
use crate::error::Ended;
use crate::io::Command;
use crate::state::ListenerId;

/// A message, or `None` at the channel's end, or why no more messages come.
pub(crate) type Item = Result<Option<Bytes>, Ended>;

/// A consumer of a task's channel: each message once and in order. Dropping it ends it.
#[derive(Debug)]
pub struct Listener {
    run: Run,
    id: ListenerId,
    items: mpsc::UnboundedReceiver<Item>,
    end: Option<Item>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Listener {
    pub(crate) fn new(
        run: Run,
        id: ListenerId,
        task_id: String,
        from: u64,
        commands: mpsc::UnboundedSender<Command>,
    ) -> Self {
        let (sink, items) = mpsc::unbounded_channel();
        let _ = commands.send(Command::Listen {
            run: run.clone(),
            listener: id,
            task_id,
            from,
            sink,
        });
        Self {
            run,
            id,
            items,
            end: None,
            commands,
        }
    }

    /// The next message. `None` when the producer has completed and all of its messages were returned. Safe to cancel.
    ///
    /// # Errors
    /// Nothing more will come, though the producer has not completed. That is never to be taken for the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Ended> {
        if let Some(end) = &self.end {
            return end.clone();
        }
        match self.items.recv().await.unwrap_or(Err(Ended::Closed)) {
            Ok(Some(payload)) => Ok(Some(payload)),
            end => self.end.insert(end).clone(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Unlisten {
            run: self.run.clone(),
            listener: self.id,
        });
    }
}
