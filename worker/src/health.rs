//! Whether this process is fit for tasks, or should be replaced by a fresh one.

use std::sync::Arc;

use tokio::sync::watch;

/// Why a process should be replaced; a later one of these outweighs an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// SP1 broke while it executed: its state is in doubt.
    Executor(String),
    /// SP1 broke while it proved, or what it proved does not verify: the machine may be the reason.
    Prover(String),
    /// The device is lost.
    Device(String),
}

impl Doubt {
    /// What happened.
    pub fn why(&self) -> &str {
        match self {
            Self::Executor(why) | Self::Prover(why) | Self::Device(why) => why,
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Executor(_) => 0,
            Self::Prover(_) => 1,
            Self::Device(_) => 2,
        }
    }
}

/// The health of a process, shared by all of its tasks.
#[derive(Debug, Clone)]
pub struct Health(Arc<watch::Sender<Option<Doubt>>>);

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Health {
    /// Something happened after which the process should be replaced. Of several the gravest is kept, of equals the first.
    pub fn doubt(&self, doubt: Doubt) {
        self.0.send_if_modified(|known| {
            let graver = known
                .as_ref()
                .is_none_or(|known| known.rank() < doubt.rank());
            if graver {
                *known = Some(doubt);
            }
            graver
        });
    }

    /// What is known against it.
    pub fn known(&self) -> Option<Doubt> {
        self.0.borrow().clone()
    }

    /// Returns when there is something against it.
    pub async fn doubted(&self) {
        // Its sender lives as long as this does.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// Returns when the device is lost, with the reason.
    pub async fn device_lost(&self) -> String {
        let mut known = self.0.subscribe();
        let lost = known.wait_for(|known| matches!(known, Some(Doubt::Device(_))));
        match lost.await.ok().and_then(|known| known.clone()) {
            Some(doubt) => doubt.why().to_owned(),
            None => std::future::pending().await,
        }
    }
}
