//! The yardstick: the balanced policy of SP1's own cluster, written from a description of what it does. Nothing of Provost uses it.
//!
//! One queue for all CPU tasks, one queue of GPU tasks for each proof. A turn gives the proof that has the least GPU weight now (the older where equal) the next
//! worker: its first task goes to the worker of its class with enough memory that is thought to be free next. When there is none, the turn is over, whatever else
//! may wait. Then the CPU queue in the same way. In a queue: SetupVkey first, then the older proof, then ProveShard before other types, then the older task.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use provost_scheduler::TaskKind;

use crate::task::{
    Class, Millis, Policy, Proof, ProofId, Task, TaskId, Worker, WorkerId, class, weight,
};

/// Place in a queue: the smaller goes first.
type Rank = (bool, Millis, ProofId, bool, Millis, TaskId);

#[derive(Default)]
pub(crate) struct Balanced {
    workers: Vec<Machine>,
    cpu: BinaryHeap<Reverse<Rank>>,
    /// By age: ties go to the oldest.
    proofs: BTreeMap<(Millis, ProofId), Queue>,
    created: HashMap<ProofId, Millis>,
    tasks: HashMap<TaskId, Task>,
}

#[derive(Default)]
struct Queue {
    waiting: BinaryHeap<Reverse<Rank>>,
    /// GPU weight with workers now.
    assigned: u32,
}

struct Machine {
    class: Class,
    free: u32,
    tasks: u32,
    next_free: Millis,
}

/// How long tasks are thought to take.
const fn estimate(kind: TaskKind) -> Millis {
    match kind {
        TaskKind::Controller | TaskKind::CoreExecute | TaskKind::ExecuteOnly => 200,
        TaskKind::SetupVkey | TaskKind::ShrinkWrap => 4_000,
        TaskKind::ProveShard | TaskKind::Groth16Wrap => 2_000,
        TaskKind::RecursionDeferred | TaskKind::RecursionReduce => 400,
        TaskKind::PlonkWrap => 8_000,
        _ => 0,
    }
}

impl Balanced {
    fn rank(&self, task: &Task) -> Rank {
        (
            task.kind != TaskKind::SetupVkey,
            self.created[&task.proof],
            task.proof,
            task.kind != TaskKind::ProveShard,
            task.created_at,
            task.id,
        )
    }

    fn worker_for(&self, task: &Task) -> Option<usize> {
        let weight = weight(task.kind);
        let fits = |m: &Machine| m.class == class(task.kind) && m.free >= weight;
        let fitting = self.workers.iter().enumerate().filter(|(_, m)| fits(m));
        let found = fitting.min_by_key(|(at, machine)| (machine.next_free, *at));
        found.map(|(at, _)| at)
    }

    fn give(&mut self, task: &Task, worker: usize, now: Millis) -> (TaskId, WorkerId) {
        let machine = &mut self.workers[worker];
        machine.free -= weight(task.kind);
        machine.tasks += 1;
        machine.next_free = machine.next_free.max(now) + estimate(task.kind);
        (task.id, u32::try_from(worker).unwrap())
    }

    fn next_gpu(&mut self, now: Millis) -> Option<(TaskId, WorkerId)> {
        let waiting = self
            .proofs
            .iter()
            .filter(|(_, queue)| !queue.waiting.is_empty());
        let (&key, queue) = waiting.min_by_key(|(key, queue)| (queue.assigned, **key))?;
        let Reverse((.., id)) = *queue.waiting.peek()?;
        let task = self.tasks[&id];
        let worker = self.worker_for(&task)?;
        let queue = self.proofs.get_mut(&key)?;
        queue.waiting.pop();
        queue.assigned += weight(task.kind);
        Some(self.give(&task, worker, now))
    }

    fn next_cpu(&mut self, now: Millis) -> Option<(TaskId, WorkerId)> {
        let Reverse((.., id)) = *self.cpu.peek()?;
        let task = self.tasks[&id];
        let worker = self.worker_for(&task)?;
        self.cpu.pop();
        Some(self.give(&task, worker, now))
    }
}

impl Policy for Balanced {
    fn name(&self) -> &'static str {
        "balanced"
    }

    fn worker_comes(&mut self, worker: &Worker) {
        assert_eq!(worker.id as usize, self.workers.len());
        self.workers.push(Machine {
            class: worker.class,
            free: worker.capacity,
            tasks: 0,
            next_free: 0,
        });
    }

    fn proof_begins(&mut self, proof: &Proof) {
        self.created.insert(proof.id, proof.created_at);
        self.proofs
            .insert((proof.created_at, proof.id), Queue::default());
    }

    fn proof_ends(&mut self, proof: ProofId) {
        let created = self.created.remove(&proof).unwrap();
        self.proofs.remove(&(created, proof));
    }

    fn task_waits(&mut self, task: &Task) {
        let rank = self.rank(task);
        self.tasks.insert(task.id, *task);
        match class(task.kind) {
            Class::Cpu => self.cpu.push(Reverse(rank)),
            Class::Gpu => {
                let key = (self.created[&task.proof], task.proof);
                self.proofs
                    .get_mut(&key)
                    .unwrap()
                    .waiting
                    .push(Reverse(rank));
            }
        }
    }

    fn task_ends(&mut self, task: &Task, worker: WorkerId, now: Millis) {
        self.tasks.remove(&task.id);
        let machine = &mut self.workers[worker as usize];
        machine.free += weight(task.kind);
        machine.tasks -= 1;
        if machine.tasks == 0 {
            machine.next_free = now;
        }
        if class(task.kind) == Class::Gpu {
            let key = (self.created[&task.proof], task.proof);
            self.proofs.get_mut(&key).unwrap().assigned -= weight(task.kind);
        }
    }

    fn place(&mut self, now: Millis, placed: &mut Vec<(TaskId, WorkerId)>) {
        while let Some(pair) = self.next_gpu(now) {
            placed.push(pair);
        }
        while let Some(pair) = self.next_cpu(now) {
            placed.push(pair);
        }
    }

    fn wake_at(&self) -> Option<Millis> {
        None
    }
}
