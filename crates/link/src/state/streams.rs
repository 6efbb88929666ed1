//! The replicas that there are streams to, the highest epoch, and who leads.

use std::collections::BTreeMap;

use super::StreamId;

/// What a replica says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Welcomed {
    pub(crate) replica: String,
    /// 0: it does not lead.
    pub(crate) epoch: u64,
}

/// All streams. There is at most one leader: a stream whose replica leads in the highest epoch that any has shown.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: BTreeMap<StreamId, Option<Welcomed>>,
    epoch: u64,
    leader: Option<StreamId>,
}

/// What a Welcome changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// This stream's replica leads from now on.
    Leads(StreamId),
    /// The replica leads in an epoch that has passed: it is to learn that.
    Stale,
    /// Nothing to do.
    Nothing,
}

impl Streams {
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) const fn leader(&self) -> Option<StreamId> {
        self.leader
    }

    /// All streams, those without a Welcome too.
    pub(super) fn open(&self) -> impl Iterator<Item = StreamId> {
        self.open.keys().copied()
    }

    pub(super) fn welcomed(&self, stream: StreamId) -> Option<&Welcomed> {
        self.open.get(&stream)?.as_ref()
    }

    pub(super) fn opened(&mut self, stream: StreamId) {
        self.open.insert(stream, None);
    }

    /// The stream is gone. Another stream to the same leader (a replica may have two addresses) takes its place.
    pub(super) fn broken(&mut self, stream: StreamId) -> Change {
        self.open.remove(&stream);
        if self.leader != Some(stream) {
            return Change::Nothing;
        }
        self.leader = None;
        self.elect()
    }

    /// Somebody has shown this epoch: whoever leads in a lower one leads no more. Whether it is news.
    pub(super) fn saw(&mut self, epoch: u64) -> bool {
        let news = epoch > self.epoch;
        if news {
            self.epoch = epoch;
            self.leader = None;
        }
        news
    }

    /// A replica says in which epoch it leads, 0 for none. [`Self::saw`] comes first.
    pub(super) fn welcome(&mut self, stream: StreamId, welcomed: Welcomed) -> Change {
        let Some(slot) = self.open.get_mut(&stream) else {
            return Change::Nothing;
        };
        let epoch = welcomed.epoch;
        *slot = Some(welcomed);
        if self.leader == Some(stream) {
            self.leader = None;
        }
        match self.elect() {
            Change::Nothing if epoch != 0 && epoch < self.epoch => Change::Stale,
            change => change,
        }
    }

    /// Whether what comes on this stream is to be obeyed.
    pub(super) fn obeys(&self, stream: StreamId) -> bool {
        self.leader == Some(stream)
    }

    fn elect(&mut self) -> Change {
        if self.leader.is_some() || self.epoch == 0 {
            return Change::Nothing;
        }
        let epoch = self.epoch;
        let leads = |welcomed: &Option<Welcomed>| {
            welcomed
                .as_ref()
                .is_some_and(|welcomed| welcomed.epoch == epoch)
        };
        self.leader = self
            .open
            .iter()
            .find_map(|(stream, welcomed)| leads(welcomed).then_some(*stream));
        self.leader.map_or(Change::Nothing, Change::Leads)
    }
}
