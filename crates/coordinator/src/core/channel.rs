//! Message channels: what a task sends while it runs, kept so that a reader may start over.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Core, LinkId};
use crate::ids::{ConnId, TaskId};

/// The channel of one task.
#[derive(Default)]
pub(crate) struct Channel {
    /// All messages so far.
    pub(crate) messages: Vec<Bytes>,
    /// Their size together.
    pub(crate) bytes: usize,
    /// The readers, each with the number of the message that it gets next.
    pub(crate) readers: BTreeMap<ConnId, u64>,
    /// The same for processes that read by the native door.
    pub(crate) listeners: BTreeMap<LinkId, u64>,
}

impl Core {
    pub(crate) fn channel(&self, task: &str) -> Option<&Channel> {
        self.channels.get(task)
    }

    /// The channel of a task, made at its first use.
    pub(crate) fn channel_mut(&mut self, task: &TaskId) -> &mut Channel {
        self.channels.entry(task.clone()).or_default()
    }

    pub(crate) fn add_reader(&mut self, task: &TaskId, reader: ConnId, next: u64) {
        self.readers.insert(reader, task.clone());
        self.channel_mut(task).readers.insert(reader, next);
    }

    pub(crate) fn remove_reader(&mut self, reader: ConnId) {
        if let Some(task) = self.readers.remove(&reader)
            && let Some(channel) = self.channels.get_mut(&task)
        {
            channel.readers.remove(&reader);
        }
    }

    /// Forgets a channel and names the readers that it had.
    pub(crate) fn remove_channel(&mut self, task: &str) -> Vec<ConnId> {
        let Some(channel) = self.channels.remove(task) else {
            return Vec::new();
        };
        let readers: Vec<_> = channel.readers.into_keys().collect();
        for reader in &readers {
            self.readers.remove(reader);
        }
        readers
    }
}
