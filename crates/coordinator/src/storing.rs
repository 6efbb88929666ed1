//! What has to be stored before anyone is told: how proofs end, and that runs begin.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::comm::ToStore;
use crate::reactor::Reactor;
use crate::shared::{Shared, spawn_part};
use crate::state::{Begun, ProofOutcome, RunStart, State, StateError};

/// First and longest wait between attempts to store something.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Stores on behalf of one term.
#[derive(Clone)]
pub(crate) struct Storing {
    pub(crate) shared: Weak<Shared>,
    pub(crate) state: Arc<dyn State>,
    pub(crate) epoch: u64,
    /// The end of the term.
    pub(crate) ends: CancellationToken,
    /// The end of all.
    pub(crate) shutdown: CancellationToken,
}

impl Storing {
    /// Stores all that comes, each thing in a task of its own, so that one that takes long holds up no other.
    pub(crate) async fn all(self, mut queue: mpsc::UnboundedReceiver<ToStore>) {
        loop {
            let next = tokio::select! {
                () = self.ends.cancelled() => return,
                next = queue.recv() => next,
            };
            let this = self.clone();
            match next {
                Some(ToStore::Outcome(outcome)) => {
                    spawn_part(&self.shutdown, this.outcome(outcome));
                }
                Some(ToStore::Run(start)) => spawn_part(&self.shutdown, this.run(start)),
                None => return,
            }
        }
    }

    async fn outcome(self, outcome: ProofOutcome) {
        let again = || self.state.finish_proof(outcome.clone());
        match self.insist(&outcome.proof, again, |_| {}, || true).await {
            Some(Stored::Yes(()) | Stored::Gone) => {
                self.say(|r| r.proof_stored(&outcome.proof));
            }
            Some(Stored::Unwanted) | None => {}
        }
    }

    async fn run(self, start: RunStart) {
        let again = || self.state.begin_run(start.clone());
        let refused = |why| {
            self.say(|r| r.run_refused(&start.proof, start.run, why));
        };
        let wanted = || {
            let storing = self.say(|r| r.is_storing(&start.proof, start.run));
            storing.unwrap_or_default()
        };
        match self.insist(&start.proof, again, refused, wanted).await {
            Some(Stored::Yes(Begun::Made)) => {
                let leads = self.say(|r| r.proof_made(&start.proof, start.run));
                // An attempt before may have stored it; the next leader may have taken it up.
                if leads.is_some() {
                    self.state.abandon_run(start.clone()).await;
                }
            }
            Some(Stored::Yes(Begun::Stored)) => {
                let begins = self.say(|r| r.run_stored(&start.proof, start.run));
                if begins == Some(false) {
                    self.state.abandon_run(start.clone()).await;
                }
            }
            Some(Stored::Gone) => {
                self.say(|r| r.proof_forgotten(&start.proof));
            }
            Some(Stored::Unwanted) => self.state.abandon_run(start.clone()).await,
            None => {}
        }
    }

    /// Tries until it is stored, nobody wants that any more, or the term ends. Hands on what people must change.
    async fn insist<'a, T>(
        &'a self,
        proof: &str,
        again: impl Fn() -> BoxFuture<'a, Result<T, StateError>>,
        refused: impl Fn(String),
        wanted: impl Fn() -> bool,
    ) -> Option<Stored<T>> {
        let (mut wait, longest) = BACKOFF;
        loop {
            match again().await {
                Ok(stored) => return Some(Stored::Yes(stored)),
                Err(StateError::Gone(why)) => {
                    tracing::info!(proof, why, "nobody waits for the proof");
                    return Some(Stored::Gone);
                }
                Err(error) => {
                    tracing::warn!(proof, %error, reason = error.reason(), "not stored, trying again");
                    if let StateError::Refused(why) = error {
                        refused(why);
                    }
                }
            }
            tokio::select! {
                () = self.ends.cancelled() => return None,
                () = tokio::time::sleep(wait) => {}
            }
            if !self.ends.is_cancelled() && !wanted() {
                return Some(Stored::Unwanted);
            }
            wait = longest.min(wait * 2);
        }
    }

    /// Gives the reactor an event, if it is still the same term.
    fn say<R>(&self, event: impl FnOnce(&mut Reactor<'_>) -> R) -> Option<R> {
        let shared = self.shared.upgrade()?;
        let mut inner = shared.lock();
        (inner.core.epoch() == self.epoch).then(|| inner.react(event))
    }
}

enum Stored<T> {
    Yes(T),
    /// Whoever wanted it wants it no more.
    Unwanted,
    /// Nobody wants it.
    Gone,
}
