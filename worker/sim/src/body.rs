//! A simulated worker's outward state: whether it lives, is heard, beats. Faults change it; links, sessions and tasks heed it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::faults::{Action, Fault, Faults};
use crate::stats::Stats;

/// The exit code of a process that the kernel killed for its memory.
const OOM_EXIT: i32 = 137;

/// A worker that crashed.
#[derive(Debug)]
pub(crate) struct Crashed {
    /// Its name.
    pub(crate) name: String,
    /// When another is to take its place.
    pub(crate) replace_after: Option<Duration>,
}

/// What the parts of one simulated worker share.
#[derive(Debug)]
pub(crate) struct Body {
    /// The name of its pod.
    pub(crate) name: String,
    pub(crate) faults: Faults,
    pub(crate) stats: Arc<Stats>,
    /// Everything that it does ends with this.
    pub(crate) life: CancellationToken,
    /// Nothing arrives, either way.
    pub(crate) cut: Switch,
    /// It sends no beats.
    pub(crate) mute: Switch,
    /// It keeps no stream of orders.
    pub(crate) deaf: Switch,
    poisoned: Arc<AtomicBool>,
    crashed: mpsc::UnboundedSender<Crashed>,
}

impl Body {
    pub(crate) fn new(
        name: String,
        faults: Faults,
        stats: Arc<Stats>,
        life: CancellationToken,
        poisoned: Arc<AtomicBool>,
        crashed: mpsc::UnboundedSender<Crashed>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            faults,
            stats,
            life,
            cut: Switch::default(),
            mute: Switch::default(),
            deaf: Switch::default(),
            poisoned,
            crashed,
        })
    }

    /// Carries out a fault that strikes the worker or its process. Others are not its business.
    pub(crate) fn strike(&self, fault: &Fault) {
        match fault.action {
            Action::Crash => {
                self.life.cancel();
                let _ = self.crashed.send(Crashed {
                    name: self.name.clone(),
                    replace_after: fault.duration(),
                });
            }
            Action::Abort => std::process::abort(),
            Action::Oom => std::process::exit(OOM_EXIT),
            Action::StopBeating => self.mute.on(fault.duration()),
            Action::FallSilent => {
                self.mute.on(fault.duration());
                self.deaf.on(fault.duration());
            }
            Action::Partition => self.cut.on(fault.duration()),
            Action::Panic => self.poisoned.store(true, Ordering::Release),
            _ => {}
        }
    }
}

/// Something that is on until a time, or for ever.
#[derive(Debug)]
pub(crate) struct Switch {
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Off,
    Until(Instant),
    On,
}

impl Default for Switch {
    fn default() -> Self {
        Self {
            state: watch::Sender::new(State::Off),
        }
    }
}

impl State {
    fn is_on(self) -> bool {
        match self {
            Self::Off => false,
            Self::Until(end) => Instant::now() < end,
            Self::On => true,
        }
    }
}

impl Switch {
    /// Turns it on, for a time or for ever.
    pub(crate) fn on(&self, time: Option<Duration>) {
        let state = time.map_or(State::On, |time| State::Until(Instant::now() + time));
        self.state.send_replace(state);
    }

    /// Turns it off.
    pub(crate) fn off(&self) {
        self.state.send_replace(State::Off);
    }

    /// Whether it is on now.
    pub(crate) fn is_on(&self) -> bool {
        self.state.borrow().is_on()
    }

    /// Returns as soon as it is off.
    pub(crate) async fn wait_off(&self) {
        let mut changes = self.state.subscribe();
        loop {
            let state = *changes.borrow_and_update();
            if !state.is_on() {
                return;
            }
            let expires = async {
                match state {
                    State::Until(end) => tokio::time::sleep_until(end).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = expires => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// Returns as soon as it is on.
    pub(crate) async fn wait_on(&self) {
        let mut changes = self.state.subscribe();
        // The sender lives in `self`: it cannot be gone.
        let _ = changes.wait_for(|state| state.is_on()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_switch_goes_off_by_itself() {
        let switch = Switch::default();
        switch.wait_off().await;
        let started = Instant::now();
        switch.on(Some(Duration::from_millis(30)));
        assert!(switch.is_on());
        switch.wait_on().await;
        switch.wait_off().await;
        assert!(started.elapsed() >= Duration::from_millis(30));
        switch.on(None);
        let wait = tokio::time::timeout(Duration::from_millis(20), switch.wait_off());
        assert!(wait.await.is_err());
        switch.off();
        switch.wait_off().await;
    }
}
