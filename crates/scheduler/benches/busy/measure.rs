//! What is looked at while a simulation runs.

use std::collections::{BTreeMap, HashMap};

use crate::task::{Class, Millis, Proof, ProofId, Task, Worker, class, weight};

/// Looks that make a window in which shares are compared: 20 of half a second.
const WINDOW: usize = 20;

/// A proof that is done.
pub(crate) struct Finished {
    pub(crate) id: ProofId,
    pub(crate) shards: u32,
    pub(crate) took: Millis,
}

/// The measurements of one run.
pub(crate) struct Meter {
    classes: Vec<Class>,
    gpus: u32,
    busy: u32,
    proofs: HashMap<ProofId, Live>,
    tenants: Vec<Tenant>,
    /// GPU tasks that wait.
    queued: u64,
    /// Executor tasks that wait, by weight.
    executor_tasks: BTreeMap<u32, u64>,
    /// What follows counts until then.
    pub(crate) until: Millis,
    now: Millis,
    always: Stretch,
    while_queued: Stretch,
    looks: usize,
    blocked: [usize; 2],
    window: Window,
    pub(crate) unfair: Vec<f64>,
    pub(crate) finished: Vec<Finished>,
    pub(crate) unfinished: usize,
    pub(crate) starts: u64,
}

struct Live {
    tenant: usize,
    waiting: u32,
    /// Its GPU tasks that wait, by weight.
    by_weight: BTreeMap<u32, u32>,
}

#[derive(Default, Clone)]
struct Tenant {
    has: u64,
    proofs: Vec<ProofId>,
}

/// What tenants had, and what they were due, in a window.
#[derive(Default)]
struct Window {
    looks: usize,
    had: Vec<f64>,
    due: Vec<f64>,
}

impl Meter {
    pub(crate) fn new(workers: &[Worker], tenants: usize) -> Self {
        let classes: Vec<_> = workers.iter().map(|w| w.class).collect();
        let gpus = classes.iter().filter(|c| **c == Class::Gpu).count();
        Self {
            gpus: u32::try_from(gpus).unwrap(),
            classes,
            busy: 0,
            proofs: HashMap::new(),
            tenants: vec![Tenant::default(); tenants],
            queued: 0,
            executor_tasks: BTreeMap::new(),
            until: Millis::MAX,
            now: 0,
            always: Stretch::default(),
            while_queued: Stretch::default(),
            looks: 0,
            blocked: [0; 2],
            window: Window::default(),
            unfair: Vec::new(),
            finished: Vec::new(),
            unfinished: 0,
            starts: 0,
        }
    }

    /// Time passes, and all stays as it is.
    pub(crate) fn passes(&mut self, time: Millis) {
        let counts = self.until.saturating_sub(self.now).min(time);
        self.now += time;
        self.always.add(counts, self.busy);
        if self.queued > 0 {
            self.while_queued.add(counts, self.busy);
        }
    }

    pub(crate) fn proof_begins(&mut self, proof: &Proof) {
        self.tenants[proof.tenant].proofs.push(proof.id);
        let live = Live {
            tenant: proof.tenant,
            waiting: 0,
            by_weight: BTreeMap::new(),
        };
        self.proofs.insert(proof.id, live);
    }

    pub(crate) fn proof_ends(&mut self, finished: Finished) {
        let live = self.proofs.remove(&finished.id).unwrap();
        self.tenants[live.tenant]
            .proofs
            .retain(|id| *id != finished.id);
        self.finished.push(finished);
    }

    pub(crate) fn task_waits(&mut self, task: &Task) {
        let weight = weight(task.kind);
        if class(task.kind) == Class::Cpu {
            *self.executor_tasks.entry(weight).or_default() += 1;
        }
        self.change(task, |live| {
            live.waiting += 1;
            *live.by_weight.entry(weight).or_default() += 1;
        });
    }

    pub(crate) fn task_starts(&mut self, task: &Task) {
        self.starts += 1;
        let weight = weight(task.kind);
        if class(task.kind) == Class::Cpu {
            *self.executor_tasks.get_mut(&weight).unwrap() -= 1;
        }
        let tenant = self.change(task, |live| {
            live.waiting -= 1;
            *live.by_weight.get_mut(&weight).unwrap() -= 1;
        });
        if let Some(tenant) = tenant {
            self.tenants[tenant].has += u64::from(weight);
        }
    }

    pub(crate) fn task_ends(&mut self, task: &Task) {
        if let Some(tenant) = self.change(task, |_| ()) {
            self.tenants[tenant].has -= u64::from(weight(task.kind));
        }
    }

    pub(crate) fn gpu_starts(&mut self) {
        self.busy += 1;
    }

    pub(crate) fn gpu_stops(&mut self) {
        self.busy -= 1;
    }

    /// Changes the counts of a GPU task's proof. The answer is whose it is.
    fn change(&mut self, task: &Task, change: impl FnOnce(&mut Live)) -> Option<usize> {
        if class(task.kind) == Class::Cpu {
            return None;
        }
        let live = self.proofs.get_mut(&task.proof).unwrap();
        self.queued -= u64::from(live.waiting);
        change(live);
        self.queued += u64::from(live.waiting);
        Some(live.tenant)
    }

    /// Looks at who has what, and whether something waits that a worker has room for.
    pub(crate) fn look(&mut self, free: &[u32]) {
        if self.now > self.until {
            return;
        }
        self.looks += 1;
        for class in Class::ALL {
            let rooms = free.iter().zip(&self.classes).filter(|(_, c)| **c == class);
            let room = rooms.map(|(free, _)| *free).max().unwrap_or(0);
            let blocked = match class {
                Class::Cpu => {
                    let mut tasks = self.executor_tasks.iter();
                    tasks.any(|(weight, count)| *weight <= room && *count > 0)
                }
                Class::Gpu => {
                    let mut proofs = self.proofs.values();
                    proofs.any(|live| live.by_weight.iter().any(|(w, n)| *w <= room && *n > 0))
                }
            };
            self.blocked[class as usize] += usize::from(blocked);
        }
        if self.queued > 0 {
            self.compare();
        }
    }

    /// Part of the looks at which a task of the class waited though a worker had room for it.
    pub(crate) fn blocked(&self, class: Class) -> f64 {
        self.blocked[class as usize] as f64 / self.looks.max(1) as f64
    }

    fn compare(&mut self) {
        let has: Vec<f64> = self.tenants.iter().map(|t| t.has as f64).collect();
        let wants: Vec<f64> = self.tenants.iter().map(|t| self.wants(t)).collect();
        let due = max_min(has.iter().sum(), &wants);
        let window = &mut self.window;
        window.had.resize(has.len(), 0.0);
        window.due.resize(has.len(), 0.0);
        for at in 0..has.len() {
            window.had[at] += has[at];
            window.due[at] += due[at];
        }
        window.looks += 1;
        if window.looks == WINDOW {
            let total: f64 = window.had.iter().sum();
            let off = window
                .had
                .iter()
                .zip(&window.due)
                .map(|(had, due)| (had - due).abs());
            if total > 0.0 {
                self.unfair.push(off.sum::<f64>() / 2.0 / total);
            }
            self.window = Window::default();
        }
    }

    /// What a tenant has and could have more at once, by weight.
    fn wants(&self, tenant: &Tenant) -> f64 {
        let proofs = tenant.proofs.iter().filter_map(|id| self.proofs.get(id));
        let more = proofs.flat_map(|live| live.by_weight.iter().map(|(w, n)| f64::from(w * n)));
        tenant.has as f64 + more.sum::<f64>()
    }

    /// Part of the GPUs that were busy, and of the time that this was so: always; while GPU tasks waited.
    pub(crate) fn busy(&self) -> [(f64, f64); 2] {
        let of = |stretch: &Stretch| {
            let gpus = (stretch.time * u64::from(self.gpus)).max(1) as f64;
            let part = stretch.time as f64 / self.always.time.max(1) as f64;
            (stretch.busy as f64 / gpus, part)
        };
        [&self.always, &self.while_queued].map(of)
    }
}

/// Some of the time, in milliseconds, and how many GPUs were busy then.
#[derive(Default)]
struct Stretch {
    time: u64,
    busy: u64,
}

impl Stretch {
    fn add(&mut self, time: Millis, busy: u32) {
        self.time += time;
        self.busy += time * u64::from(busy);
    }
}

/// Shares out `total`: each gets what it wants, or as much as the others that get less than they want.
fn max_min(total: f64, wants: &[f64]) -> Vec<f64> {
    let mut order: Vec<_> = (0..wants.len()).collect();
    order.sort_by(|a, b| wants[*a].total_cmp(&wants[*b]));
    let (mut left, mut due) = (total, vec![0.0; wants.len()]);
    for (done, at) in order.into_iter().enumerate() {
        let even = left / (wants.len() - done) as f64;
        due[at] = wants[at].min(even);
        left -= due[at];
    }
    due
}
