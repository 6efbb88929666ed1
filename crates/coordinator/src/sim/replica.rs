//! A replica: the reactor, and its commands on their way out.

use bytes::Bytes;
use provost_proto::link::down_message::Message as Down;
use provost_proto::worker::ServerSubMessage;

use crate::Millis;
use crate::config::{Config, Timeouts};
use crate::core::Core;
use crate::events::WorkerEvent;
use crate::ids::{ConnId, IdSource, ProofId, SubId, TaskId, WorkerId};
use crate::output::{Order, Output, ReaderEnd};
use crate::reactor::Reactor;
use crate::state::{ProofOutcome, ProofProgress, RunStart, TaskChange};

/// After how long a task that hangs is begun again, in milliseconds.
const HANG: u64 = 15_000;

/// A command that leaves the reactor.
pub(super) enum Command {
    Tell(ConnId, Down),
    Close(ConnId),
    /// To a worker of the stock door.
    Order(WorkerId, Order),
    Begin(RunStart),
    Finish(Box<ProofOutcome>),
    Deposed(u64),
    /// A pod's worker is given up.
    Lost(String),
    /// A pod's worker takes tasks.
    Registered(String),
    /// A pod's worker does not stop what it was told to stop: it is to be replaced.
    Recycle(String),
}

#[derive(Default)]
struct Commands(Vec<Command>);

impl Output for Commands {
    fn send(&mut self, worker: &WorkerId, order: Order) {
        self.0.push(Command::Order(worker.clone(), order));
    }
    fn close_worker(&mut self, _: &WorkerId) {}
    fn push(&mut self, _: &SubId, _: ServerSubMessage) {}
    fn close_sub(&mut self, _: &SubId) {}
    fn message(&mut self, _: ConnId, _: Bytes) {}
    fn end_reader(&mut self, _: ConnId, _: ReaderEnd) {}
    fn tell(&mut self, conn: ConnId, message: Down) {
        self.0.push(Command::Tell(conn, message));
    }
    fn close_link(&mut self, conn: ConnId) {
        self.0.push(Command::Close(conn));
    }
    fn begin_run(&mut self, start: RunStart) {
        self.0.push(Command::Begin(start));
    }
    fn deposed(&mut self, epoch: u64) {
        self.0.push(Command::Deposed(epoch));
    }
    fn record(&mut self, _: TaskChange) {}
    fn progress(&mut self, _: ProofProgress) {}
    fn finish(&mut self, outcome: ProofOutcome) {
        self.0.push(Command::Finish(Box::new(outcome)));
    }
    fn settled(&mut self, _: &ProofId) {}
    fn event(&mut self, event: WorkerEvent) {
        match event {
            WorkerEvent::Lost { worker, .. } => {
                self.0.push(Command::Lost(worker.pod().to_owned()));
            }
            WorkerEvent::Registered { worker, .. } => {
                self.0.push(Command::Registered(worker.pod().to_owned()));
            }
            WorkerEvent::Recycle { pod, .. } => self.0.push(Command::Recycle(pod)),
            WorkerEvent::Closed { .. } | WorkerEvent::Broke { .. } | WorkerEvent::Poison { .. } => {
            }
        }
    }
}

/// Names that no other leader gives.
struct Names {
    prefix: String,
    last: u64,
}

impl IdSource for Names {
    fn task(&mut self) -> TaskId {
        self.last += 1;
        format!("{}-{}", self.prefix, self.last).into()
    }

    /// Different each time, and the same for the same seed.
    fn random(&mut self) -> u64 {
        self.last.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

pub(super) struct Replica {
    pub(super) core: Core,
    out: Commands,
    names: Names,
    /// Which process of the replica this is; `None` while it is down.
    pub(super) life: Option<u64>,
}

impl Replica {
    pub(super) fn new(index: usize, life: u64) -> Self {
        Self {
            core: Core::new(Config {
                timeouts: Timeouts {
                    setup_vkey: HANG,
                    prove_shard: HANG,
                    recursion_reduce: HANG,
                    ..Timeouts::default()
                },
                ..Config::default()
            }),
            out: Commands::default(),
            names: Names {
                prefix: format!("t{index}.{life}"),
                last: 0,
            },
            life: Some(life),
        }
    }

    pub(super) fn react<R>(
        &mut self,
        now: Millis,
        event: impl FnOnce(&mut Reactor<'_>) -> R,
    ) -> (R, Vec<Command>) {
        let result = event(&mut Reactor {
            core: &mut self.core,
            out: &mut self.out,
            ids: &mut self.names,
            now,
        });
        (result, std::mem::take(&mut self.out.0))
    }
}
