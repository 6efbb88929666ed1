//! Something that goes off by itself.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_switch_goes_off_by_itself() {
        let switch = Switch::default();
        switch.wait_off().await;
        let started = Instant::now();
        switch.on(Some(Duration::from_millis(30)));
        assert!(switch.is_on());
        switch.wait_off().await;
        assert!(started.elapsed() >= Duration::from_millis(30));
        switch.on(None);
        let wait = tokio::time::timeout(Duration::from_millis(20), switch.wait_off());
        assert!(wait.await.is_err());
        switch.off();
        switch.wait_off().await;
    }
}
