//! Whether this replica leads, and who does otherwise: for what only the leader may take.

use tokio::sync::watch;

/// What is known of the leader.
#[derive(Debug, Clone)]
pub struct Leader {
    leads: watch::Receiver<bool>,
    holder: watch::Receiver<Option<String>>,
}

impl Leader {
    /// From whether this replica acts as the leader, and who holds the Lease.
    pub fn new(leads: watch::Receiver<bool>, holder: watch::Receiver<Option<String>>) -> Self {
        Self { leads, holder }
    }

    /// Whether this replica leads.
    pub fn is_here(&self) -> bool {
        *self.leads.borrow()
    }

    /// The pod that leads, as far as it is known.
    pub fn pod(&self) -> Option<String> {
        let holder = self.holder.borrow();
        let (pod, _process) = holder.as_ref()?.rsplit_once('_')?;
        Some(pod.to_owned())
    }
}
