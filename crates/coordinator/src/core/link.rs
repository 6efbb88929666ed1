//! Processes of workers that are joined by the native door.

use std::collections::{BTreeMap, HashMap};

use super::{Core, Departure};
use crate::Millis;
use crate::ids::{ConnId, WorkerId};
use crate::tables::Map;
use crate::word::{Process, Report, Role, Word};

/// A process that is joined, for as long as the leader counts on it: new streams of the same process keep the number.
pub(crate) type LinkId = u64;

/// A joined process.
pub(crate) struct Link {
    pub(crate) pod: String,
    pub(crate) process: Process,
    pub(crate) version: String,
    /// Whether its node may be taken away at short notice.
    pub(crate) spot: bool,
    /// The stream to it.
    pub(crate) conn: Option<ConnId>,
    /// When that stream broke, if there is none.
    pub(crate) broken_at: Millis,
    pub(crate) last_seen: Millis,
    /// What it said it plays on this stream.
    pub(crate) roles: Vec<(Role, WorkerId)>,
    /// It takes no more tasks, by its own word.
    pub(crate) draining: bool,
    /// When it ends, by its own word; `None` while it waits for whatever runs.
    pub(crate) ends_at: Option<Millis>,
    /// Whether it has said, on this stream and to this leader, what still counts. Before that it gets no tasks.
    pub(crate) reported: bool,
    /// The report as far as it came.
    pub(crate) report: Vec<Report>,
    /// What it said before the report was complete.
    pub(crate) pending: Vec<Word>,
    /// What it had when it was given up, if it was. It may come back, or turn out to be gone for another reason.
    pub(crate) departure: Option<Departure>,
}

impl Link {
    /// The worker of a role.
    pub(crate) fn worker(&self, role: &str) -> Option<&WorkerId> {
        let mut roles = self.roles.iter();
        roles.find(|(r, _)| r.name == role).map(|(_, id)| id)
    }

    /// Nothing of what was said on an earlier stream, or to an earlier leader, holds.
    pub(crate) fn start_over(&mut self) {
        self.reported = false;
        self.report.clear();
        self.pending.clear();
    }
}

/// All links, found by number, stream and pod.
#[derive(Default)]
pub(super) struct Links {
    all: BTreeMap<LinkId, Link>,
    by_conn: Map<ConnId, LinkId>,
    by_pod: HashMap<String, LinkId>,
    last: LinkId,
}

impl Links {
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        self.all.values_mut()
    }
}

impl Core {
    pub(crate) fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.all.get(&id)
    }

    /// A link's own fields, its stream excepted.
    pub(crate) fn link_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.all.get_mut(&id)
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.links.all.iter().map(|(id, link)| (*id, link))
    }

    /// The link whose present stream this is.
    pub(crate) fn link_at(&self, conn: ConnId) -> Option<LinkId> {
        self.links.by_conn.get(&conn).copied()
    }

    pub(crate) fn link_of(&self, pod: &str) -> Option<LinkId> {
        self.links.by_pod.get(pod).copied()
    }

    /// The stream to a process, if it has one.
    pub(crate) fn conn_of(&self, id: LinkId) -> Option<ConnId> {
        self.links.all.get(&id)?.conn
    }

    pub(crate) fn add_link(&mut self, link: Link) -> LinkId {
        self.links.last += 1;
        let id = self.links.last;
        if let Some(conn) = link.conn {
            self.links.by_conn.insert(conn, id);
        }
        self.links.by_pod.insert(link.pod.clone(), id);
        self.links.all.insert(id, link);
        id
    }

    /// Gives a link another stream, or none.
    pub(crate) fn set_conn(&mut self, id: LinkId, conn: Option<ConnId>) {
        let Some(link) = self.links.all.get_mut(&id) else {
            return;
        };
        if let Some(old) = std::mem::replace(&mut link.conn, conn) {
            self.links.by_conn.remove(&old);
        }
        if let Some(conn) = conn {
            self.links.by_conn.insert(conn, id);
        }
    }

    pub(crate) fn remove_link(&mut self, id: LinkId) -> Option<Link> {
        let link = self.links.all.remove(&id)?;
        if let Some(conn) = link.conn {
            self.links.by_conn.remove(&conn);
        }
        self.links.by_pod.remove(&link.pod);
        Some(link)
    }

    #[cfg(test)]
    pub(super) fn check_links(&self) -> Result<(), String> {
        let links = &self.links;
        if links.by_pod.len() != links.all.len() {
            return Err("links by pod".to_owned());
        }
        let joined = links.all.values().filter(|link| link.conn.is_some());
        if links.by_conn.len() != joined.count() {
            return Err("links by stream".to_owned());
        }
        for (id, link) in &links.all {
            let listed = links.by_pod.get(&link.pod) == Some(id);
            let conn = link.conn.is_none_or(|c| links.by_conn.get(&c) == Some(id));
            if !listed || !conn {
                return Err(format!("link {id} of {}", link.pod));
            }
        }
        Ok(())
    }
}
