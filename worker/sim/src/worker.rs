//! One simulated worker: its body, its link, and the roles that it plays.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use provost_link::{Link, Orders, Status};

use crate::body::Body;
use crate::tasks::Role;

/// One simulated worker.
pub(crate) struct Worker {
    pub(crate) body: Arc<Body>,
    link: Link,
    /// How many workers it plays for the coordinator: one for each role that is built.
    roles: AtomicUsize,
}

impl Worker {
    pub(crate) fn new(body: Arc<Body>, link: Link) -> Self {
        Self {
            body,
            link,
            roles: AtomicUsize::new(0),
        }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Plays a role from now on.
    pub(crate) fn play(&self, role: Role, max_weight: u32) -> Orders {
        let orders = self.link.add_role(provost_link::Role {
            name: role.name().to_owned(),
            class: role.class(),
            max_weight,
            provers: 0,
            device: None,
            // It proves nothing of any size.
            shard_elements: u64::MAX,
        });
        self.roles.fetch_add(1, Ordering::Release);
        orders
    }

    /// How many roles are built, and how the link is.
    pub(crate) fn look(&self) -> (usize, Status) {
        (self.roles.load(Ordering::Acquire), self.link.status())
    }

    /// Takes no new tasks and waits for those that run, and until the coordinator has taken note of how they ended, for `limit` at most. False if that
    /// was not enough.
    pub(crate) async fn drain(&self, limit: Duration) -> bool {
        self.link.drain_within(limit);
        let mut status = self.link.status_changes();
        let drained = status.wait_for(|status| status.draining && status.kept.is_flushed());
        matches!(tokio::time::timeout(limit, drained).await, Ok(Ok(_)))
    }
}
