//! The cluster as discrete events: workers that let time pass, proofs whose tasks follow one another, a policy that decides.
//!
//! A GPU runs one task at a time; the others that its worker holds have their inputs fetched meanwhile. An executor runs all that it holds at once.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use provost_scheduler::TaskKind;

use crate::graph::{Graph, Next};
use crate::load::{FETCH, Mode, Request, SHARDS_PER_SECOND};
use crate::measure::{Finished, Meter};
use crate::task::{
    Class, Millis, Policy, Proof, ProofId, Task, TaskId, Worker, WorkerId, class, weight,
};

/// Time between two looks at who has what.
const LOOK: Millis = 500;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A proof comes.
    Comes(ProofId),
    /// CoreExecute yields a shard.
    Shard(ProofId),
    /// A task's inputs are on its worker.
    Ready(TaskId),
    /// A task is done.
    Done(TaskId),
    /// The policy wanted to be asked.
    Ask,
    /// A look at who has what.
    Look,
}

#[derive(Default)]
struct Gpu {
    ready: VecDeque<TaskId>,
    running: Option<TaskId>,
}

/// One run.
pub(crate) struct Simulation<'a> {
    policy: &'a mut dyn Policy,
    workers: Vec<Worker>,
    free: Vec<u32>,
    gpus: Vec<Gpu>,
    proofs: HashMap<ProofId, Graph>,
    roots: HashMap<ProofId, TaskId>,
    tasks: HashMap<TaskId, (Task, Option<WorkerId>)>,
    events: BinaryHeap<Reverse<(Millis, u64, Event)>>,
    meter: Meter,
    now: Millis,
    sequence: u64,
    last_task: TaskId,
    asked: Option<Millis>,
    left: usize,
    /// A look is due, once all decisions of this moment are taken.
    look: bool,
}

impl<'a> Simulation<'a> {
    pub(crate) fn new(policy: &'a mut dyn Policy, workers: Vec<Worker>, tenants: usize) -> Self {
        for worker in &workers {
            policy.worker_comes(worker);
        }
        let meter = Meter::new(&workers, tenants);
        Self {
            policy,
            free: workers.iter().map(|w| w.capacity).collect(),
            gpus: workers.iter().map(|_| Gpu::default()).collect(),
            workers,
            proofs: HashMap::new(),
            roots: HashMap::new(),
            tasks: HashMap::new(),
            events: BinaryHeap::new(),
            meter,
            now: 0,
            sequence: 0,
            last_task: 0,
            asked: None,
            left: 0,
            look: false,
        }
    }

    /// What happens later than this is not measured, but for when proofs end.
    pub(crate) fn count_until(&mut self, at: Millis) {
        self.meter.until = at;
    }

    /// Runs until all is done, or until `limit`: what is left then is stuck.
    pub(crate) fn run(mut self, requests: &[Request], limit: Millis) -> Meter {
        self.left = requests.len();
        for (number, request) in requests.iter().enumerate() {
            let id = u32::try_from(number).unwrap();
            self.at(request.at, Event::Comes(id));
            self.proofs.insert(id, Graph::new(*request));
        }
        self.at(0, Event::Look);
        let mut placed = Vec::new();
        while self.left > 0
            && let Some(Reverse((at, _, event))) = self.events.pop()
            && at <= limit
        {
            self.meter.passes(at - self.now);
            self.now = at;
            self.happens(event);
            let more = matches!(self.events.peek(), Some(Reverse((next, ..))) if *next == at);
            if !more {
                // A Controller that starts has a task for others at once.
                loop {
                    self.policy.place(at, &mut placed);
                    if placed.is_empty() {
                        break;
                    }
                    for (task, worker) in placed.drain(..) {
                        self.placed(task, worker);
                    }
                }
                self.ask_again();
                if std::mem::take(&mut self.look) {
                    self.meter.look(&self.free);
                }
            }
        }
        self.meter.unfinished = self.left;
        self.meter
    }

    fn at(&mut self, at: Millis, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, event)));
    }

    fn ask_again(&mut self) {
        let wake = self.policy.wake_at().map(|at| at.max(self.now + 1));
        if let Some(at) = wake
            && self
                .asked
                .is_none_or(|asked| asked <= self.now || at < asked)
        {
            self.asked = Some(at);
            self.at(at, Event::Ask);
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Comes(proof) => self.comes(proof),
            Event::Shard(proof) => {
                let (next, more) = self.proofs.get_mut(&proof).unwrap().shard();
                self.follow(proof, next);
                if more {
                    self.at(self.now + shard_time(), Event::Shard(proof));
                }
            }
            Event::Ready(task) => {
                let worker = self.tasks[&task].1.unwrap();
                self.gpus[worker as usize].ready.push_back(task);
                self.start(worker);
            }
            Event::Done(task) => self.done(task),
            Event::Ask => {}
            Event::Look => {
                self.look = true;
                self.at(self.now + LOOK, Event::Look);
            }
        }
    }

    fn comes(&mut self, id: ProofId) {
        let request = *self.proofs[&id].request();
        let proof = Proof {
            id,
            tenant: request.tenant,
            created_at: self.now,
            reserve: match request.mode {
                Mode::Plonk => weight(TaskKind::PlonkWrap),
                Mode::Groth16 => weight(TaskKind::Groth16Wrap),
                Mode::Core | Mode::Compressed => weight(TaskKind::CoreExecute),
            },
        };
        self.policy.proof_begins(&proof);
        self.meter.proof_begins(&proof);
        let root = self.create(id, TaskKind::Controller, 0);
        self.roots.insert(id, root);
    }

    fn create(&mut self, proof: ProofId, kind: TaskKind, time: Millis) -> TaskId {
        self.last_task += 1;
        let task = Task {
            id: self.last_task,
            proof,
            kind,
            created_at: self.now,
            time,
        };
        self.tasks.insert(task.id, (task, None));
        self.policy.task_waits(&task);
        self.meter.task_waits(&task);
        task.id
    }

    fn placed(&mut self, id: TaskId, worker: WorkerId) {
        let found = self.tasks.get_mut(&id).unwrap();
        assert!(found.1.replace(worker).is_none(), "placed twice");
        let task = found.0;
        let machine = self.workers[worker as usize];
        assert_eq!(
            class(task.kind),
            machine.class,
            "placed on the wrong kind of worker"
        );
        let free = &mut self.free[worker as usize];
        *free = free
            .checked_sub(weight(task.kind))
            .expect("a worker has more than it can hold");
        self.meter.task_starts(&task);
        match (machine.class, task.kind) {
            (Class::Gpu, _) => self.at(self.now + FETCH, Event::Ready(id)),
            (_, TaskKind::Controller) => {
                let next = self.proofs.get_mut(&task.proof).unwrap().begins();
                self.follow(task.proof, next);
            }
            (_, TaskKind::CoreExecute) => {
                let shards = self.proofs[&task.proof].request().shards;
                let yields = self.now + task.time;
                self.at(yields, Event::Shard(task.proof));
                self.at(yields + u64::from(shards) * shard_time(), Event::Done(id));
            }
            _ => self.at(self.now + task.time, Event::Done(id)),
        }
    }

    /// Starts what is next on a GPU, if that is free.
    fn start(&mut self, worker: WorkerId) {
        let gpu = &mut self.gpus[worker as usize];
        if gpu.running.is_some() {
            return;
        }
        gpu.running = gpu.ready.pop_front();
        if let Some(task) = gpu.running {
            let time = self.tasks[&task].0.time;
            self.meter.gpu_starts();
            self.at(self.now + time, Event::Done(task));
        }
    }

    fn done(&mut self, id: TaskId) {
        let (task, worker) = self.tasks.remove(&id).unwrap();
        let worker = worker.unwrap();
        self.free[worker as usize] += weight(task.kind);
        self.policy.task_ends(&task, worker, self.now);
        self.meter.task_ends(&task);
        if class(task.kind) == Class::Gpu {
            self.gpus[worker as usize].running = None;
            self.meter.gpu_stops();
            self.start(worker);
        }
        if task.kind == TaskKind::Controller {
            self.ended(task.proof);
            return;
        }
        let mut next = Vec::new();
        self.proofs
            .get_mut(&task.proof)
            .unwrap()
            .done(task.kind, &mut next);
        for next in next {
            self.follow(task.proof, next);
        }
    }

    fn follow(&mut self, proof: ProofId, next: Next) {
        match next {
            Next::Task(kind, time) => {
                self.create(proof, kind, time);
            }
            Next::Done => {
                let root = self.roots.remove(&proof).unwrap();
                self.at(self.now, Event::Done(root));
            }
        }
    }

    fn ended(&mut self, id: ProofId) {
        let graph = self.proofs.remove(&id).unwrap();
        self.policy.proof_ends(id);
        self.meter.proof_ends(Finished {
            id,
            shards: graph.request().shards,
            took: self.now - graph.request().at,
        });
        self.left -= 1;
    }
}

fn shard_time() -> Millis {
    (1_000.0 / SHARDS_PER_SECOND) as Millis
}
