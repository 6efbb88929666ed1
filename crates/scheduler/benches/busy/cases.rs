//! Small clusters in which the task that is first in order does not fit: what waits behind it, and for how long?

use provost_scheduler::TaskKind;

use crate::task::{Class, Millis, Policy, Proof, ProofId, Task, TaskId, Worker, WorkerId, weight};

/// After this time something is stuck for good.
const LIMIT: Millis = 120_000;

/// A case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What the answer's time is of.
    pub(crate) of: &'static str,
    run: fn(&mut Bench<'_>) -> Option<Millis>,
}

pub(crate) const CASES: [Case; 3] = [
    Case {
        name: "a PlonkWrap of 60 GB that no executor of 48 GB can hold, and 50 CoreExecutes that come after it",
        of: "until the 50 are done",
        run: unplaceable,
    },
    Case {
        name: "a ShrinkWrap of 4 GB where every prover has 3 GB free for 2 s, and 30 reductions of 3 GB of another proof",
        of: "until the 30 are done",
        run: just_too_large,
    },
    Case {
        name: "a PlonkWrap of 60 GB on one executor of 64 GB, and Groth16Wraps of 14 GB that never stop coming",
        of: "until the PlonkWrap starts",
        run: never_empty,
    },
];

impl Case {
    /// The time that it takes with a policy; `None` for longer than two minutes.
    pub(crate) fn run(&self, policy: &mut dyn Policy) -> Option<Millis> {
        (self.run)(&mut Bench {
            policy,
            free: Vec::new(),
            running: Vec::new(),
            started: Vec::new(),
            tasks: Vec::new(),
            now: 0,
        })
    }
}

fn unplaceable(bench: &mut Bench<'_>) -> Option<Millis> {
    for _ in 0..4 {
        bench.worker(Class::Cpu, 48);
    }
    bench.proof(0);
    bench.task(0, TaskKind::PlonkWrap, 8_000);
    bench.run_until(10, |_| false);
    bench.proof(1);
    let tasks: Vec<_> = (0..50)
        .map(|_| bench.task(1, TaskKind::CoreExecute, 1_000))
        .collect();
    bench.run_until(LIMIT, |b| tasks.iter().all(|task| b.is_done(*task)))
}

fn just_too_large(bench: &mut Bench<'_>) -> Option<Millis> {
    for _ in 0..10 {
        bench.worker(Class::Gpu, 7);
    }
    bench.proof(0);
    for _ in 0..10 {
        bench.task(0, TaskKind::ProveShard, 2_000);
    }
    bench.run_until(10, |_| false);
    bench.proof(1);
    bench.task(1, TaskKind::ShrinkWrap, 4_000);
    bench.proof(2);
    let tasks: Vec<_> = (0..30)
        .map(|_| bench.task(2, TaskKind::RecursionReduce, 400))
        .collect();
    bench.run_until(LIMIT, |b| tasks.iter().all(|task| b.is_done(*task)))
}

fn never_empty(bench: &mut Bench<'_>) -> Option<Millis> {
    bench.worker(Class::Cpu, 64);
    let mut proof = 0;
    let mut plonk = None;
    let mut since = 0;
    while bench.now < LIMIT {
        bench.proof(proof);
        bench.task(proof, TaskKind::Groth16Wrap, 2_000);
        if bench.now >= 5_000 && plonk.is_none() {
            proof += 1;
            bench.proof(proof);
            since = bench.now;
            plonk = Some(bench.task(proof, TaskKind::PlonkWrap, 8_000));
        }
        proof += 1;
        let started = |b: &Bench<'_>| plonk.is_some_and(|task| b.started.contains(&task));
        if bench.run_until(bench.now + 400, started).is_some() {
            return Some(bench.now - since);
        }
    }
    None
}

/// A cluster without graphs: tasks last as long as they are said to.
struct Bench<'a> {
    policy: &'a mut dyn Policy,
    free: Vec<u32>,
    running: Vec<(Millis, Task, WorkerId)>,
    started: Vec<TaskId>,
    tasks: Vec<(Task, bool)>,
    now: Millis,
}

impl Bench<'_> {
    fn worker(&mut self, class: Class, capacity: u32) {
        let id = u32::try_from(self.free.len()).unwrap();
        self.free.push(capacity);
        self.policy.worker_comes(&Worker {
            id,
            class,
            capacity,
        });
    }

    fn proof(&mut self, id: ProofId) {
        self.policy.proof_begins(&Proof {
            id,
            tenant: id as usize,
            created_at: self.now,
            reserve: 0,
        });
    }

    fn task(&mut self, proof: ProofId, kind: TaskKind, time: Millis) -> TaskId {
        let task = Task {
            id: u32::try_from(self.tasks.len()).unwrap(),
            proof,
            kind,
            created_at: self.now,
            time,
        };
        self.tasks.push((task, false));
        self.policy.task_waits(&task);
        task.id
    }

    fn is_done(&self, task: TaskId) -> bool {
        self.tasks[task as usize].1
    }

    /// Lets time pass until `end` or until something is the case; the answer is when that was.
    fn run_until(&mut self, end: Millis, holds: impl Fn(&Self) -> bool) -> Option<Millis> {
        let mut placed = Vec::new();
        loop {
            self.policy.place(self.now, &mut placed);
            for (id, worker) in placed.drain(..) {
                let task = self.tasks[id as usize].0;
                self.free[worker as usize] -= weight(task.kind);
                self.started.push(id);
                self.running.push((self.now + task.time, task, worker));
            }
            if holds(self) {
                return Some(self.now);
            }
            let ends = self.running.iter().map(|(at, ..)| *at).min();
            let next = [ends, self.policy.wake_at().map(|at| at.max(self.now + 1))];
            let next = next.into_iter().flatten().min();
            match next.filter(|at| *at <= end) {
                Some(at) => self.now = at,
                None => {
                    self.now = end;
                    return None;
                }
            }
            let now = self.now;
            let ended: Vec<_> = self.running.extract_if(.., |(at, ..)| *at <= now).collect();
            for (_, task, worker) in ended {
                self.free[worker as usize] += weight(task.kind);
                self.tasks[task.id as usize].1 = true;
                self.policy.task_ends(&task, worker, now);
            }
        }
    }
}
