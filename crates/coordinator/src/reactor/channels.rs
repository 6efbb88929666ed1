//! Events of message channels.

use bytes::Bytes;

use super::Reactor;
use crate::ids::{ConnId, TaskId, WorkerId};
use crate::output::ReaderEnd;
use crate::refusal::Refusal;

impl Reactor<'_> {
    /// A task sends a message. It is kept, so that a reader may start over.
    pub(crate) fn message_sent(
        &mut self,
        worker: &WorkerId,
        task: &TaskId,
        payload: Bytes,
    ) -> Result<(), Refusal> {
        self.seen(worker);
        let Some(known) = self.core.task(task) else {
            return Err(Refusal::UnknownTask(task.clone()));
        };
        if known.phase().is_final() {
            // A late attempt repeats what the first one said.
            return Ok(());
        }
        self.append(task, payload)
    }

    /// Adds a message to a channel, and tells it to the readers.
    pub(super) fn append(&mut self, task: &TaskId, payload: Bytes) -> Result<(), Refusal> {
        let max = self.core.config().max_channel_bytes;
        let channel = self.core.channel_mut(task);
        let bytes = channel.bytes.saturating_add(payload.len());
        if bytes > max {
            return Err(Refusal::ChannelFull(task.clone()));
        }
        channel.bytes = bytes;
        let number = channel.messages.len() as u64;
        channel.messages.push(payload.clone());
        let mut due = Vec::new();
        for (reader, next) in &mut channel.readers {
            if *next == number {
                *next += 1;
                due.push(*reader);
            }
        }
        for reader in due {
            self.out.message(reader, payload.clone());
        }
        self.core.step(task);
        self.tell_listeners(task, number, &payload);
        Ok(())
    }

    /// Someone reads a task's channel from message number `offset` on.
    pub(crate) fn reader_opened(
        &mut self,
        task: &TaskId,
        offset: u64,
        reader: ConnId,
    ) -> Result<(), Refusal> {
        let Some(known) = self.core.task(task) else {
            return Err(Refusal::UnknownTask(task.clone()));
        };
        let ended = known.phase().is_final();
        let messages = match self.core.channel(task) {
            Some(channel) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let rest = channel.messages.get(start..);
                rest.unwrap_or_default().to_vec()
            }
            None => Vec::new(),
        };
        let next = offset.saturating_add(messages.len() as u64);
        for payload in messages {
            self.out.message(reader, payload);
        }
        if ended {
            self.out.end_reader(reader, ReaderEnd::Complete);
        } else {
            self.core.add_reader(task, reader, next);
        }
        Ok(())
    }

    /// A reader is gone.
    pub(crate) fn reader_closed(&mut self, reader: ConnId) {
        self.core.remove_reader(reader);
    }

    /// Ends the streams of a task's readers. After [`ReaderEnd::Complete`] the messages stay for readers to come; after
    /// [`ReaderEnd::RunOver`] they are forgotten.
    pub(super) fn end_channel(&mut self, task: &TaskId, end: ReaderEnd) {
        if end == ReaderEnd::Complete {
            self.end_listeners(task);
        }
        let readers = match end {
            ReaderEnd::RunOver => self.core.remove_channel(task),
            ReaderEnd::Complete => {
                let readers = self.core.channel(task).map(|c| &c.readers);
                let readers: Vec<_> = readers
                    .into_iter()
                    .flat_map(|r| r.keys().copied())
                    .collect();
                for reader in &readers {
                    self.core.remove_reader(*reader);
                }
                readers
            }
        };
        for reader in readers {
            self.out.end_reader(reader, end);
        }
    }
}
