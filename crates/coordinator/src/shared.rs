//! The reactor's state behind one lock, and the tasks that drive it.

use std::ops::{Deref, DerefMut};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::Millis;
use crate::clock::Clock;
use crate::comm::Comm;
use crate::config::Config;
use crate::core::Core;
use crate::events::WorkerEvent;
use crate::ids::{ConnId, TypeIds};
use crate::queue::Woken;
use crate::reactor::Reactor;
use crate::refusal::Refusal;
use crate::state::State;
use crate::storing;
use crate::term::{Term, TermEvent};

/// Time between ticks. Everything that waits for a time is late by at most this.
const TICK: Duration = Duration::from_millis(100);

/// A tick that is late by this much means that the process did not run.
const STOPPED: Duration = Duration::from_secs(2);

/// Worker events that a slow listener may fall behind.
const EVENTS: usize = 1024;

/// What all handles share.
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    clock: Clock,
    state: Arc<dyn State>,
    pub(crate) events: broadcast::Sender<WorkerEvent>,
    pub(crate) terms: broadcast::Sender<TermEvent>,
    pub(crate) shutdown: CancellationToken,
}

/// The lock. When it goes, the state is free first, and then whoever has something to read is woken.
pub(crate) struct Locked<'a> {
    inner: MutexGuard<'a, Inner>,
    woken: Woken,
}

impl Deref for Locked<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // The fields go after this, in their order.
        self.woken = self.inner.comm.take_woken();
    }
}

/// What the lock guards. It is never held over a wait.
pub(crate) struct Inner {
    pub(crate) core: Core,
    pub(crate) comm: Comm,
    ids: TypeIds,
    conn: ConnId,
    now: Millis,
    /// Ends what is done on behalf of the present term.
    term: CancellationToken,
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

    /// # Errors
    /// [`Refusal::NotLeading`].
    pub(crate) fn check_leads(&self) -> Result<(), Refusal> {
        match self.core.epoch() {
            0 => Err(Refusal::NotLeading),
            _ => Ok(()),
        }
    }
}

/// Runs a part of the coordinator. One that panics ends all of it: another replica has them all.
pub(crate) fn spawn_part(
    shutdown: &CancellationToken,
    part: impl Future<Output = ()> + Send + 'static,
) {
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        if AssertUnwindSafe(part).catch_unwind().await.is_err() {
            tracing::error!("a part of the coordinator panicked: it ends");
            shutdown.cancel();
        }
    });
}

impl Shared {
    /// Sets everything up and starts the task that drives it, on the current tokio runtime.
    pub(crate) fn start(
        config: Config,
        state: Arc<dyn State>,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let events = broadcast::Sender::new(EVENTS);
        let terms = broadcast::Sender::new(EVENTS);
        // Replaced by one that leads somewhere when the first term begins.
        let (nowhere, _) = mpsc::unbounded_channel();
        let clock = Clock::of_process();
        let inner = Inner {
            core: Core::new(config),
            comm: Comm::new(Arc::clone(&state), events.clone(), terms.clone(), nowhere),
            ids: TypeIds,
            conn: 0,
            now: clock.now(),
            term: CancellationToken::new(),
        };
        let shared = Arc::new(Self {
            inner: Mutex::new(inner),
            clock,
            state,
            events,
            terms,
            shutdown,
        });
        spawn_part(&shared.shutdown, drive(Arc::clone(&shared)));
        shared
    }

    /// Begins a term.
    pub(crate) fn lead(self: &Arc<Self>, term: Term) -> Result<(), Refusal> {
        let mut inner = self.lock();
        if term.epoch <= inner.core.seen_epoch() {
            return Err(Refusal::Outdated(inner.core.seen_epoch()));
        }
        inner.term.cancel();
        inner.term = self.shutdown.child_token();
        inner.comm.close_calls();
        let (to_store, queue) = mpsc::unbounded_channel();
        inner.comm.store_by(to_store);
        let ends = inner.term.clone();
        let storing = storing::Storing {
            shared: Arc::downgrade(self),
            state: Arc::clone(&self.state),
            epoch: term.epoch,
            ends,
            shutdown: self.shutdown.clone(),
        };
        spawn_part(&self.shutdown, storing.all(queue));
        inner.react(|reactor| reactor.lead(term));
        Ok(())
    }

    /// Ends the term.
    pub(crate) fn step_down(&self) {
        let mut inner = self.lock();
        inner.term.cancel();
        inner.react(|reactor| reactor.step_down());
        inner.comm.close_calls();
    }

    /// The state, with the time set.
    pub(crate) fn lock(&self) -> Locked<'_> {
        let mut inner = self.inner.lock().unwrap_or_else(|poisoned| {
            // Something panicked half-way through an event: what it left may not hold together. Another replica has all of it.
            if !self.shutdown.is_cancelled() {
                tracing::error!("an event of the coordinator panicked: it ends");
                self.shutdown.cancel();
            }
            PoisonError::into_inner(poisoned)
        });
        inner.now = self.clock.now();
        Locked {
            inner,
            woken: Woken::default(),
        }
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
    let mut last = Instant::now();
    loop {
        tokio::select! {
            () = shared.shutdown.cancelled() => break,
            _ = ticks.tick() => {
                let stopped = std::mem::replace(&mut last, Instant::now()).elapsed() >= STOPPED;
                shared.react(|reactor| {
                    if stopped {
                        reactor.resumed();
                    }
                    reactor.tick();
                });
            }
        }
    }
    shared.lock().comm.close_all();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::MemoryState;

    #[tokio::test]
    async fn a_panic_half_way_through_an_event_ends_the_coordinator() {
        let shutdown = CancellationToken::new();
        let shared = Shared::start(
            Config::default(),
            Arc::new(MemoryState::new()),
            shutdown.clone(),
        );
        let panics = {
            let shared = shared.clone();
            std::thread::spawn(move || shared.react(|_| panic!("half-way")))
        };
        assert!(panics.join().is_err() && !shutdown.is_cancelled());
        // Whoever comes next sees it.
        drop(shared.lock());
        assert!(shutdown.is_cancelled());
    }
}
