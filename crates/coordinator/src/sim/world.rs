//! Replicas, processes and the network between them, moved by one queue of events.

use std::cmp::Reverse;
mod harm;
mod network;
mod replicas;
mod stock;
mod tasks;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use provost_proto::link as wire;
use provost_proto::link::down_message::Message as Down;
use provost_proto::link::up_message::Message as Up;
use provost_proto::worker::TaskType;

use super::faults::Fault;
use super::ledger::Ledger;
use super::play::{Next, Play};
use super::process::{Effect, Process, Run};
use super::replica::{Command, Replica};
use super::rng::Rng;
use super::stock::Stock;
use crate::Millis;
use crate::doors::native::parse;
use crate::events::Recall;
use crate::failure::{FailureClass, Loss};
use crate::ids::{ConnId, ProofId, TaskId, WorkerId};
use crate::output::Order;
use crate::proof_spec::{ProofSpec, Root};
use crate::reactor::Reactor;
use crate::state::{ProofOutcome, ProofResult, RunStart};
use crate::term::{RecoveredProof, Term};

/// Whether a task's loss begins its run again.
pub(super) const fn is_unit(kind: TaskType) -> bool {
    matches!(kind, TaskType::Controller | TaskType::CoreExecute)
}

pub(super) const REPLICAS: usize = 2;
/// After this a replica knows of a stream, and no more of the one before.
const SETTLED: Millis = 2_500;

enum Event {
    Up(u64, Vec<Up>),
    Down(u64, Vec<Down>),
    ReplicaSeesBreak(u64),
    ProcessSeesBreak(u64),
    Connect(usize, usize),
    Tick,
    Beat(usize),
    Play(usize, String, u64),
    Stored(usize, u64, u64, Stored),
    /// A replica hears that something is stored.
    Answered(usize, u64, u64, Saying),
    Elect,
    StepDown(usize, u64),
    Restart(usize),
    PodGone(String),
    Respawn,
    /// A process that was told to go ends.
    Leave(usize, Option<Millis>),
    StockRespawn,
    StockOpen(usize),
    StockBeat(usize),
    StockOrder(usize, ConnId, Order),
    StockWork(usize, TaskId, u64),
    /// A replica sees that a node's stream is gone.
    StockGone(usize, u64, WorkerId, ConnId),
    Submit(usize),
    Fault(Fault),
}

#[derive(Clone)]
enum Stored {
    Begin(RunStart),
    Finish(Box<ProofOutcome>),
}

struct Stream {
    process: usize,
    replica: usize,
    alive: bool,
    opened: Millis,
    /// When the last message of each direction arrives.
    up: Millis,
    down: Millis,
}

/// What the reactor is told of that.
type Saying = Box<dyn FnOnce(&mut Reactor<'_>)>;

/// What the API server has of a proof.
struct Durable {
    spec: ProofSpec,
    begun: Option<RunStart>,
    outcome: Option<ProofOutcome>,
    cancelled: bool,
}

pub(super) struct Worker {
    pub(super) process: Process,
    pub(super) alive: bool,
    plays: BTreeMap<String, Play>,
    /// Nothing passes to or from it until then.
    frozen_until: Millis,
}

pub(super) struct World {
    pub(super) now: Millis,
    pub(super) rng: Rng,
    queue: BinaryHeap<Reverse<(Millis, u64)>>,
    events: BTreeMap<u64, Event>,
    seq: u64,
    pub(super) replicas: Vec<Replica>,
    pub(super) workers: Vec<Worker>,
    stock: Vec<Stock>,
    /// Whether a new leader waits for the word of stock nodes: those of a pool are pods as others.
    stock_in_pool: bool,
    streams: BTreeMap<u64, Stream>,
    durable: BTreeMap<ProofId, Durable>,
    /// The epoch of the Lease.
    epoch: u64,
    /// The API server answers nobody until then.
    api_away_until: Millis,
    /// The replica that holds it, and which process of it.
    pub(super) leader: Option<(usize, u64)>,
    shards: usize,
    proofs: usize,
    pub(super) ledger: Ledger,
    pods: usize,
    pub(super) quiet_after: Millis,
    pub(super) log: bool,
    deposed: BTreeSet<u64>,
}

impl World {
    pub(super) fn new(seed: u64, log: bool) -> Self {
        let mut rng = Rng::new(seed);
        let shards = usize::try_from(rng.range(1, 7)).unwrap();
        let proofs = usize::try_from(rng.range(1, 4)).unwrap();
        let stock = match rng.chance(40) {
            true => rng.range(1, 3),
            false => 0,
        };
        let stock_in_pool = rng.chance(50);
        let mut this = Self {
            now: 1_000_000,
            rng,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            seq: 0,
            replicas: (0..REPLICAS).map(|i| Replica::new(i, 0)).collect(),
            workers: Vec::new(),
            stock: Vec::new(),
            stock_in_pool,
            streams: BTreeMap::new(),
            durable: BTreeMap::new(),
            epoch: 0,
            api_away_until: 0,
            leader: None,
            shards,
            proofs,
            ledger: Ledger::default(),
            pods: 0,
            quiet_after: 0,
            log,
            deposed: BTreeSet::new(),
        };
        this.at(0, Event::Tick);
        this.at(10, Event::Elect);
        for _ in 0..3 {
            this.at(1, Event::Respawn);
        }
        for _ in 0..stock {
            this.at(1, Event::StockRespawn);
        }
        for n in 0..proofs {
            let after = this.rng.range(0, 4_000);
            this.at(after, Event::Submit(n));
        }
        for (after, fault) in super::faults::plan(&mut this.rng) {
            this.quiet_after = this.quiet_after.max(this.now + after);
            this.at(after, Event::Fault(fault));
        }
        this
    }

    fn at(&mut self, after: Millis, event: Event) {
        self.seq += 1;
        self.queue.push(Reverse((self.now + after, self.seq)));
        self.events.insert(self.seq, event);
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.log {
            println!("{:>8} {}", self.now - 1_000_000, what());
        }
    }

    /// Until every proof has ended and all is quiet.
    pub(super) fn run(&mut self) {
        let end = self.now + 900_000;
        while let Some(Reverse((at, seq))) = self.queue.pop() {
            self.now = at;
            self.ledger.now = at;
            if let Some(event) = self.events.remove(&seq) {
                self.event(event);
            }
            if self.is_done() {
                return;
            }
            assert!(self.now < end, "it does not end: {}", self.standing());
        }
    }

    fn is_done(&self) -> bool {
        let ended = self.durable.values().filter(|d| d.outcome.is_some());
        if self.now < self.quiet_after || ended.count() < self.proofs {
            return false;
        }
        let Some((replica, _)) = self.leader else {
            return false;
        };
        let core = &self.replicas[replica].core;
        let freed = core.workers().all(|worker| worker.used() == 0);
        let mut alive = self.workers.iter().filter(|worker| worker.alive);
        freed && alive.all(|w| w.process.is_idle()) && core.recovery().is_none()
    }

    fn standing(&self) -> String {
        let ended = self.durable.iter().map(|(id, d)| (id, d.outcome.is_some()));
        let alive = self.workers.iter().filter(|worker| worker.alive);
        let left: Vec<_> = alive.map(|w| w.process.left_over()).collect();
        let used = self.leader.map(|(replica, _)| {
            let workers = self.replicas[replica].core.workers();
            workers
                .map(|w| (w.id.clone(), w.used()))
                .collect::<Vec<_>>()
        });
        format!("{:?}\n{used:?}\n{left:#?}", ended.collect::<Vec<_>>())
    }

    fn event(&mut self, event: Event) {
        for worker in &mut self.workers {
            worker.process.now = self.now;
        }
        match event {
            Event::Up(stream, messages) => self.deliver_up(stream, messages),
            Event::Down(stream, messages) => self.deliver_down(stream, messages),
            Event::ReplicaSeesBreak(stream) => {
                let replica = self.streams[&stream].replica;
                self.react(replica, |r| r.link_broken(stream));
            }
            Event::ProcessSeesBreak(stream) => self.process_sees_break(stream),
            Event::Connect(process, replica) => self.connect(process, replica),
            Event::Tick => self.tick(),
            Event::Beat(process) => {
                if self.workers[process].alive {
                    self.workers[process].process.beat();
                    self.flush(process);
                    self.at(1_000, Event::Beat(process));
                }
            }
            Event::Play(process, task, serial) => self.wake(process, &task, serial),
            Event::Stored(replica, life, epoch, what) => self.stored(replica, life, epoch, what),
            Event::Answered(replica, life, epoch, event) => {
                self.answered(replica, life, epoch, event);
            }
            Event::Elect => self.elect(),
            Event::StepDown(replica, life) => {
                if self.replicas[replica].life == Some(life) && self.leader != Some((replica, life))
                {
                    self.say(|| format!("replica {replica} steps down"));
                    self.react(replica, |r| r.step_down());
                }
            }
            Event::Restart(replica) => {
                let life = self.next_number();
                self.replicas[replica] = Replica::new(replica, life);
                self.say(|| format!("replica {replica} is back"));
            }
            Event::PodGone(pod) => {
                if let Some((replica, _)) = self.leader {
                    self.say(|| format!("pod {pod} is known to be gone"));
                    // Most often for no known reason.
                    let class = match self.rng.range(0, 10) {
                        0 => FailureClass::OutOfMemory,
                        1 => FailureClass::Preempted,
                        _ => FailureClass::NodeLost,
                    };
                    let loss = Loss::new(class, "killed");
                    self.react(replica, |r| r.pod_lost(&pod, &loss));
                }
            }
            Event::Respawn => self.respawn(),
            Event::Leave(process, seen) => self.end_process(process, seen),
            Event::StockRespawn => self.respawn_stock(),
            Event::StockOpen(node) => self.stock_open(node),
            Event::StockBeat(node) => self.stock_beat(node),
            Event::StockOrder(node, conn, order) => self.stock_hears(node, conn, order),
            Event::StockWork(node, task, serial) => self.stock_works(node, task, serial),
            Event::StockGone(replica, life, worker, conn) => {
                if self.replicas[replica].life == Some(life) {
                    self.react(replica, |r| r.stream_broken(&worker, conn));
                }
            }
            Event::Submit(n) => self.submit(n),
            Event::Fault(fault) => self.fault(fault),
        }
    }

    fn next_number(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Nothing is left of anything.
    pub(super) fn check_clean(&mut self) {
        let (replica, _) = self.leader.unwrap();
        for id in self.durable.keys().cloned().collect::<Vec<_>>() {
            self.react(replica, |r| r.proof_forgotten(&id));
        }
        let core = &self.replicas[replica].core;
        if let Err(error) = core.check() {
            panic!("{error}");
        }
        assert_eq!(core.left_over(), 0, "something is left");
    }
}

fn list<T: std::fmt::Debug>(messages: &[T]) -> String {
    let all: Vec<_> = messages.iter().map(|m| format!("{m:?}")).collect();
    all.join("\n             ")
}
