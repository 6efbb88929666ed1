//! The reactor's state behind one lock, and the tasks that drive it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::Millis;
use crate::clock::Clock;
use crate::comm::Comm;
use crate::config::Config;
use crate::core::Core;
use crate::events::WorkerEvent;
use crate::ids::{ConnId, TypeIds};
use crate::reactor::Reactor;
use crate::state::{ProofOutcome, State, StateError};

/// Time between ticks. Everything that waits for a time is late by at most this.
const TICK: Duration = Duration::from_millis(100);

/// Worker events that a slow listener may fall behind.
const EVENTS: usize = 1024;

/// First and longest wait between attempts to store an outcome.
const STORE_BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What all handles share.
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    clock: Clock,
    pub(crate) events: broadcast::Sender<WorkerEvent>,
    pub(crate) shutdown: CancellationToken,
}

/// What the lock guards. It is never held over a wait.
pub(crate) struct Inner {
    pub(crate) core: Core,
    pub(crate) comm: Comm,
    ids: TypeIds,
    conn: ConnId,
    now: Millis,
}

impl Inner {
    /// Gives the reactor an event.
    pub(crate) fn react<R>(&mut self, event: impl FnOnce(&mut Reactor<'_>) -> R) -> R {
        event(&mut Reactor {
            core: &mut self.core,
            out: &mut self.comm,
            ids: &mut self.ids,
            now: self.now,
        })
    }

    /// A number for a new connection.
    pub(crate) fn next_conn(&mut self) -> ConnId {
        self.conn += 1;
        self.conn
    }
}

impl Shared {
    /// Sets everything up and starts the tasks that drive it, on the current tokio runtime.
    pub(crate) fn start(
        config: Config,
        state: Arc<dyn State>,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let events = broadcast::Sender::new(EVENTS);
        let (outcomes, to_store) = mpsc::unbounded_channel();
        let clock = Clock::new();
        let inner = Inner {
            core: Core::new(config),
            comm: Comm::new(Arc::clone(&state), events.clone(), outcomes),
            ids: TypeIds,
            conn: 0,
            now: clock.now(),
        };
        let shared = Arc::new(Self {
            inner: Mutex::new(inner),
            clock,
            events,
            shutdown,
        });
        tokio::spawn(drive(Arc::clone(&shared)));
        tokio::spawn(store_all(Arc::downgrade(&shared), state, to_store));
        shared
    }

    /// The state, with the time set.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in one call must not take the others down; tests see to it that there is none.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.now = self.clock.now();
        inner
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Gives the reactor an event.
    pub(crate) fn react<R>(&self, event: impl FnOnce(&mut Reactor<'_>) -> R) -> R {
        self.lock().react(event)
    }
}

/// Ticks until the shutdown, and then ends all streams.
async fn drive(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.shutdown.cancelled() => break,
            _ = ticks.tick() => shared.react(|reactor| reactor.tick()),
        }
    }
    shared.lock().comm.close_all();
}

/// Stores outcomes, each in a task of its own, so that one that takes long holds up no other.
async fn store_all(
    shared: Weak<Shared>,
    state: Arc<dyn State>,
    mut outcomes: mpsc::UnboundedReceiver<ProofOutcome>,
) {
    while let Some(outcome) = outcomes.recv().await {
        tokio::spawn(store(shared.clone(), Arc::clone(&state), outcome));
    }
}

async fn store(shared: Weak<Shared>, state: Arc<dyn State>, outcome: ProofOutcome) {
    let (mut wait, longest) = STORE_BACKOFF;
    loop {
        match state.finish_proof(outcome.clone()).await {
            Ok(()) => break,
            Err(StateError::Gone(why)) => {
                tracing::info!(proof = %outcome.proof, why, "nobody waits for the outcome");
                break;
            }
            Err(error @ StateError::Unavailable(_)) => {
                tracing::warn!(proof = %outcome.proof, %error, reason = error.reason(), "outcome not stored, trying again");
            }
        }
        let Some(shutdown) = shared.upgrade().map(|shared| shared.shutdown.clone()) else {
            return;
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = longest.min(wait * 2);
    }
    if let Some(shared) = shared.upgrade() {
        shared.react(|reactor| reactor.proof_stored(&outcome.proof));
    }
}
