//! A simulated worker's outward state: whether it lives and is heard. Faults change it; its tasks and its link heed it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::faults::{Action, Call, Fault, Faults, Site};
use crate::stats::Stats;
use crate::wire::{Way, Wire};

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
    /// Its way to the coordinator.
    pub(crate) wire: Arc<Wire>,
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
            wire: Arc::default(),
            poisoned,
            crashed,
        })
    }

    /// It is gone as if its process were: nothing that it does from now on is heard of.
    pub(crate) fn die(&self) {
        self.wire.cut(None);
        self.life.cancel();
    }

    /// Carries out a fault that strikes the worker or its process. Others are not its business.
    pub(crate) fn strike(&self, fault: &Fault) {
        let time = fault.duration();
        match fault.action {
            Action::Crash => {
                self.die();
                let _ = self.crashed.send(Crashed {
                    name: self.name.clone(),
                    replace_after: time,
                });
            }
            Action::Abort => std::process::abort(),
            Action::Oom => std::process::exit(OOM_EXIT),
            Action::StopBeating => self.wire.hold(Way::Up, time),
            Action::FallSilent => self.wire.cut(time),
            Action::Partition => {
                self.wire.hold(Way::Up, time);
                self.wire.hold(Way::Down, time);
            }
            Action::Panic => self.poisoned.store(true, Ordering::Release),
            _ => {}
        }
    }

    /// A call to the coordinator is about to be made: the faults that befall it do.
    pub(crate) async fn call(&self, call: Call) {
        for fault in self.faults.reach(&self.name, Site::Call(call)) {
            match fault.action {
                Action::LoseReply => self.wire.lose(Way::Down),
                Action::LoseRequest => self.wire.lose(Way::Up),
                Action::Delay => {
                    tokio::time::sleep(fault.duration().unwrap_or_default()).await;
                }
                _ => {}
            }
        }
    }
}
