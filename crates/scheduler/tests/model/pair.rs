//! The scheduler and the reference, side by side.

use provost_scheduler::{
    Class, Deadline, HoldKey, Pod, ProofKey, ProofSpec, Requeue, Requirement, Room, Scheduler,
    Settings, Shape, TaskKey, TaskSpec, TenantKey, WorkerKey, WorkerKind, WorkerSpec,
};

use crate::event::Event;
use crate::reference::{Proof, Reference, State, Task, Worker};

/// Both, and the keys of what the reference numbers.
pub(crate) struct Pair {
    pub(crate) real: Scheduler,
    model: Reference,
    tenants: Vec<TenantKey>,
    proofs: Vec<ProofKey>,
    tasks: Vec<TaskKey>,
    workers: Vec<WorkerKey>,
    /// Holds without a task: key, and the reference's number.
    stranded: Vec<(HoldKey, usize)>,
}

const SETTINGS: Settings = Settings {
    patience: 20,
    urgent_slack: 30,
};

impl Pair {
    pub(crate) fn new() -> Self {
        let mut pair = Self {
            real: Scheduler::new(SETTINGS),
            model: Reference::new(SETTINGS),
            tenants: Vec::new(),
            proofs: Vec::new(),
            tasks: Vec::new(),
            workers: Vec::new(),
            stranded: Vec::new(),
        };
        pair.apply(&Event::AddTenant { share: 1 });
        for tenant in 0..2 {
            pair.apply(&Event::AddTenant { share: 1 });
            pair.apply(&Event::AddProof {
                tenant,
                priority: 0,
                deadline: None,
                parallelism: None,
            });
        }
        for (kind, pod) in [(WorkerKind::Cpu, 0), (WorkerKind::Gpu, 1)] {
            pair.apply(&Event::AddWorker {
                kind,
                capacity: 16,
                provers: None,
                pod,
                provides: false,
                spot: false,
            });
        }
        pair
    }

    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::AddTenant { .. }
            | Event::SetShare { .. }
            | Event::AddProof { .. }
            | Event::RemoveProof { .. }
            | Event::SetPriority { .. }
            | Event::SetDeadline { .. }
            | Event::SetParallelism { .. } => self.apply_proof(event),
            Event::AddWorker { .. }
            | Event::RemoveWorker { .. }
            | Event::SetOpen { .. }
            | Event::SetCapacity { .. }
            | Event::SetProvers { .. } => self.apply_worker(event),
            Event::Decide { after, most } => self.decide(*after, *most),
            _ => {
                self.apply_task(event);
            }
        }
    }

    fn apply_proof(&mut self, event: &Event) {
        match *event {
            Event::AddTenant { share } => {
                self.tenants.push(self.real.add_tenant(share));
                self.model.tenants.push(share);
            }
            Event::SetShare { tenant, share } => {
                let tenant = tenant % self.tenants.len();
                self.real.set_share(self.tenants[tenant], share).unwrap();
                self.model.tenants[tenant] = share;
            }
            Event::AddProof {
                tenant,
                priority,
                deadline,
                parallelism,
            } => {
                let tenant = tenant % self.tenants.len();
                let deadline = deadline.map(|(at, work)| (self.model.now + at, work));
                let spec = ProofSpec {
                    tenant: self.tenants[tenant],
                    priority,
                    deadline: deadline.map(|(at, remaining)| Deadline { at, remaining }),
                    parallelism,
                };
                self.proofs.push(self.real.add_proof(spec).unwrap());
                self.model.proofs.push(Some(Proof {
                    tenant,
                    priority,
                    deadline,
                    parallelism,
                }));
            }
            Event::RemoveProof { proof } => {
                let Some(proof) = self.a_proof(proof) else {
                    return;
                };
                let used = self.model.tasks.iter().flatten().any(|t| t.proof == proof);
                let removed = self.real.remove_proof(self.proofs[proof]);
                assert_eq!(removed.is_err(), used);
                if !used {
                    self.model.proofs[proof] = None;
                }
            }
            Event::SetPriority { proof, priority } => self.set_proof(proof, |real, key, p| {
                real.set_priority(key, priority).unwrap();
                p.priority = priority;
            }),
            Event::SetDeadline { proof, deadline } => {
                let deadline = deadline.map(|(at, work)| (self.model.now + at, work));
                self.set_proof(proof, |real, key, p| {
                    let new = deadline.map(|(at, remaining)| Deadline { at, remaining });
                    real.set_deadline(key, new).unwrap();
                    p.deadline = deadline;
                });
            }
            Event::SetParallelism { proof, parallelism } => {
                self.set_proof(proof, |real, key, p| {
                    real.set_parallelism(key, parallelism).unwrap();
                    p.parallelism = parallelism;
                })
            }
            _ => {}
        }
    }

    fn set_proof(
        &mut self,
        proof: usize,
        change: impl FnOnce(&mut Scheduler, ProofKey, &mut Proof),
    ) {
        if let Some(proof) = self.a_proof(proof) {
            let found = self.model.proofs[proof].as_mut().unwrap();
            change(&mut self.real, self.proofs[proof], found);
        }
    }

    fn apply_worker(&mut self, event: &Event) {
        match *event {
            Event::AddWorker {
                kind,
                capacity,
                provers,
                pod,
                provides,
                spot,
            } => {
                let key = self.real.add_worker(WorkerSpec {
                    kind,
                    capacity,
                    provers,
                    pod: pod_of(pod),
                    provides: provides.then_some(Requirement(7)).into_iter().collect(),
                    spot,
                });
                self.workers.push(key);
                self.model.workers.push(Some(Worker {
                    number: key.index(),
                    kind,
                    capacity,
                    provers,
                    pod,
                    provides,
                    spot,
                    open: true,
                }));
            }
            Event::RemoveWorker { worker } => {
                let Some(worker) = self.a_worker(worker) else {
                    return;
                };
                let lost = self.real.remove_worker(self.workers[worker]).unwrap();
                let model = self.model.remove_worker(worker);
                let mut model: Vec<_> = model.into_iter().map(|t| self.tasks[t]).collect();
                model.sort_unstable();
                let mut sorted = lost.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, model);
                self.stranded
                    .retain(|(_, hold)| self.model.holds[*hold].is_some());
                // Half of them go again at once, the others stay adrift.
                for key in lost.into_iter().step_by(2) {
                    let task = self.tasks.iter().rposition(|k| *k == key).unwrap();
                    self.requeue(task, Requeue::default(), Room::Freed);
                }
            }
            Event::SetOpen { worker, open } => {
                let Some(worker) = self.a_worker(worker) else {
                    return;
                };
                let key = self.workers[worker];
                if open {
                    self.real.open_worker(key).unwrap();
                } else {
                    self.real.close_worker(key).unwrap();
                }
                self.model.workers[worker].as_mut().unwrap().open = open;
            }
            Event::SetProvers { worker, provers } => {
                if let Some(worker) = self.a_worker(worker) {
                    let key = self.workers[worker];
                    self.real.set_provers(key, provers).unwrap();
                    self.model.workers[worker].as_mut().unwrap().provers = provers;
                }
            }
            Event::SetCapacity { worker, capacity } => {
                if let Some(worker) = self.a_worker(worker) {
                    let key = self.workers[worker];
                    self.real.set_capacity(key, capacity).unwrap();
                    self.model.workers[worker].as_mut().unwrap().capacity = capacity;
                }
            }
            _ => {}
        }
    }

    fn apply_task(&mut self, event: &Event) -> Option<()> {
        match *event {
            Event::AddTask {
                proof,
                shape,
                stage,
                prefer,
                avoid,
                wait,
            } => {
                let prefer = prefer.and_then(|w| self.a_worker(w));
                let spec = TaskSpec {
                    prefer: prefer.map(|w| self.workers[w]),
                    avoid: avoid.map(pod_of),
                    not_before: self.model.now + wait,
                    ..self.spec(proof, shape, stage)?
                };
                self.tasks.push(self.real.add_task(spec).unwrap());
                let until = State::Waiting(self.model.now + wait);
                self.learn(proof, shape, stage, prefer, avoid, until);
            }
            Event::Adopt {
                proof,
                shape,
                worker,
            } => {
                let worker = self.a_worker(worker)?;
                let spec = self.spec(proof, shape, 0)?;
                let key = self.workers[worker];
                self.tasks.push(self.real.adopt(spec, key).unwrap());
                self.learn(proof, shape, 0, None, None, State::Adrift);
                self.model.hold(self.tasks.len() - 1, worker, false);
            }
            Event::FoundOn { task, worker } => {
                let (task, worker) = (self.a_task(task)?, self.a_worker(worker)?);
                let held = matches!(self.state(task), State::Held(_));
                let found = self.real.found_on(self.tasks[task], self.workers[worker]);
                assert_eq!(found.is_err(), held);
                if !held {
                    self.model.hold(task, worker, false);
                }
            }
            Event::Complete { task } => {
                let task = self.held(task)?;
                self.real.complete(self.tasks[task]).unwrap();
                self.vacate(task, None);
                self.model.tasks[task] = None;
            }
            Event::Remove { task, kept } => {
                let task = self.a_task(task)?;
                let room = if kept { Room::Kept } else { Room::Freed };
                let hold = self.real.remove_task(self.tasks[task], room).unwrap();
                self.vacate(task, hold);
                self.model.tasks[task] = None;
            }
            Event::Requeue {
                task,
                wait,
                avoid,
                min_capacity,
                kept,
            } => {
                let task = self.a_task(task)?;
                let again = Requeue {
                    not_before: self.model.now + wait,
                    avoid: avoid.map(pod_of),
                    min_capacity,
                };
                let room = if kept { Room::Kept } else { Room::Freed };
                self.requeue(task, again, room);
            }
            Event::Delay { task, wait } => {
                let task = self.a_task(task)?;
                let until = self.model.now + wait;
                let waits = matches!(self.state(task), State::Waiting(_));
                let delayed = self.real.delay(self.tasks[task], until);
                assert_eq!(delayed.is_ok(), waits);
                if waits {
                    self.model.tasks[task].as_mut().unwrap().state = State::Waiting(until);
                }
            }
            Event::Release { hold } => {
                if self.stranded.is_empty() {
                    return None;
                }
                let at = hold % self.stranded.len();
                let (key, hold) = self.stranded.swap_remove(at);
                self.real.release(key).unwrap();
                assert!(self.real.release(key).is_err());
                self.model.holds[hold] = None;
            }
            _ => {}
        }
        Some(())
    }

    fn spec(&self, proof: usize, shape: Shape, stage: u8) -> Option<TaskSpec> {
        let proof = self.proofs[self.a_proof(proof)?];
        Some(TaskSpec::new(proof, shape, stage))
    }

    fn learn(
        &mut self,
        proof: usize,
        shape: Shape,
        stage: u8,
        prefer: Option<usize>,
        avoid: Option<u64>,
        state: State,
    ) {
        self.model.learn(shape);
        self.model.tasks.push(Some(Task {
            proof: self.a_proof(proof).unwrap(),
            shape,
            stage,
            prefer,
            avoid,
            state,
        }));
    }

    fn requeue(&mut self, task: usize, again: Requeue, room: Room) {
        let waits = matches!(self.state(task), State::Waiting(_));
        let hold = self.real.requeue(self.tasks[task], again, room);
        assert_eq!(hold.is_err(), waits);
        let Ok(hold) = hold else { return };
        self.vacate(task, hold);
        let found = self.model.tasks[task].as_mut().unwrap();
        found.avoid = again.avoid.map(Pod::number);
        found.shape.min_capacity = found.shape.min_capacity.max(again.min_capacity);
        found.state = State::Waiting(again.not_before);
        let shape = found.shape;
        self.model.learn(shape);
    }

    fn vacate(&mut self, task: usize, stranded: Option<HoldKey>) {
        if let State::Held(hold) = self.state(task) {
            match stranded {
                Some(key) => {
                    let left = self.model.holds[hold].as_mut().unwrap();
                    (left.task, left.expects) = (None, false);
                    self.stranded.push((key, hold));
                }
                None => self.model.holds[hold] = None,
            }
        }
        self.model.tasks[task].as_mut().unwrap().state = State::Adrift;
    }

    fn decide(&mut self, after: u64, most: usize) {
        let now = self.model.now + after;
        for _ in 0..most {
            let Some(placed) = self.real.next(now) else {
                assert_eq!(self.model.next(now), None, "the reference goes on");
                self.check_conserving();
                return;
            };
            let task = self.tasks.iter().rposition(|k| *k == placed.task).unwrap();
            let worker = self.workers.iter().rposition(|k| *k == placed.worker);
            self.check_placement(task, worker.unwrap(), now);
            assert_eq!(self.model.next(now), Some((task, worker.unwrap())));
        }
    }

    /// What was decided is right, whatever the reference says. It has not taken the decision in yet.
    fn check_placement(&self, task: usize, worker: usize, now: u64) {
        let found = self.model.tasks[task].as_ref().unwrap();
        let shape = found.shape;
        let host = self.model.worker(worker);
        assert!(host.open && self.model.suits(worker, &shape));
        let used = self.model.used(worker) + u64::from(shape.weight);
        let takes_none = shape.weight == 0;
        assert!(
            takes_none || used <= u64::from(host.capacity),
            "over capacity"
        );
        let mut others = self.model.holds_on(worker);
        assert!(shape.slot.is_none() || others.all(|h| h.shape.slot != shape.slot));
        assert!(matches!(found.state, State::Waiting(until) if until <= now));
        if shape.class == Class::Gpu {
            let cap = self.model.proof_of(task).parallelism;
            let on = self.model.on_provers(found.proof);
            assert!(cap.is_none_or(|cap| on < cap.max(1) as usize));
            let proving = self.model.proving(worker);
            assert!(
                host.provers
                    .is_none_or(|provers| proving <= provers as usize)
            );
        }
    }

    /// Nothing waits that would fit: not just the first of each queue.
    fn check_conserving(&self) {
        for task in 0..self.model.tasks.len() {
            if self.model.is_eligible(task) {
                assert_eq!(self.model.pick(task), None, "task {task} would fit");
            }
        }
    }

    /// In the end all that waits runs, once there are workers for it and what runs comes to an end.
    pub(crate) fn run_out(&mut self) {
        for task in 0..self.tasks.len() {
            if self.model.tasks[task].is_some() && self.state(task) == State::Adrift {
                self.requeue(task, Requeue::default(), Room::Freed);
            }
        }
        while let Some((key, hold)) = self.stranded.pop() {
            self.real.release(key).unwrap();
            self.model.holds[hold] = None;
        }
        for pod in 0..2 {
            self.apply(&Event::AddWorker {
                kind: WorkerKind::All,
                capacity: 24,
                provers: Some(1),
                pod,
                provides: true,
                spot: false,
            });
        }
        for round in 0.. {
            let left = self.model.tasks.iter().flatten().count();
            if left == 0 {
                break;
            }
            assert!(round < 1_000, "{left} tasks do not end");
            self.decide(30, usize::MAX);
            while self.held(0).is_some() {
                self.apply(&Event::Complete { task: 0 });
            }
        }
        self.real.verify().unwrap();
        assert_eq!(
            (self.real.tasks(), self.real.waiting(), self.real.delayed()),
            (0, 0, 0)
        );
        assert!(self.real.workers().all(|(_, w)| w.used == 0));
        for proof in 0..self.proofs.len() {
            self.apply(&Event::RemoveProof { proof });
        }
        let proofs: Vec<_> = self.model.proofs.iter().flatten().collect();
        assert!(proofs.is_empty());
        for tenant in &self.tenants {
            self.real.remove_tenant(*tenant).unwrap();
        }
    }

    fn state(&self, task: usize) -> State {
        self.model.tasks[task].as_ref().unwrap().state
    }

    fn a_proof(&self, choice: usize) -> Option<usize> {
        choose(choice, self.model.proofs.iter().map(Option::is_some))
    }

    fn a_worker(&self, choice: usize) -> Option<usize> {
        choose(choice, self.model.workers.iter().map(Option::is_some))
    }

    fn a_task(&self, choice: usize) -> Option<usize> {
        choose(choice, self.model.tasks.iter().map(Option::is_some))
    }

    fn held(&self, choice: usize) -> Option<usize> {
        let held = |t: &Task| matches!(t.state, State::Held(_));
        let tasks = self.model.tasks.iter();
        choose(choice, tasks.map(|t| t.as_ref().is_some_and(held)))
    }
}

/// One of those that are there.
fn choose(choice: usize, there: impl Iterator<Item = bool>) -> Option<usize> {
    let there: Vec<_> = there
        .enumerate()
        .filter(|(_, t)| *t)
        .map(|(n, _)| n)
        .collect();
    there.get(choice % there.len().max(1)).copied()
}

/// Two pods on each node.
fn pod_of(number: u64) -> Pod {
    Pod::new(number).on(number / 2)
}
