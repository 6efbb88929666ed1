//! The rules of the scheduler, by looking at everything for every decision.

use std::cmp::Reverse;

use provost_scheduler::{Class, Requirement, Settings, Shape, WorkerKind};

/// All that there is, in lists that only grow.
pub(crate) struct Reference {
    pub(crate) settings: Settings,
    pub(crate) now: u64,
    pub(crate) tenants: Vec<u32>,
    pub(crate) proofs: Vec<Option<Proof>>,
    pub(crate) tasks: Vec<Option<Task>>,
    pub(crate) holds: Vec<Option<Hold>>,
    pub(crate) workers: Vec<Option<Worker>>,
    pub(crate) shapes: Vec<ShapeState>,
}

pub(crate) struct Proof {
    pub(crate) tenant: usize,
    pub(crate) priority: i32,
    pub(crate) deadline: Option<(u64, u64)>,
    pub(crate) parallelism: Option<u32>,
}

pub(crate) struct Task {
    pub(crate) proof: usize,
    pub(crate) shape: Shape,
    pub(crate) stage: u8,
    pub(crate) prefer: Option<usize>,
    pub(crate) avoid: Option<u64>,
    pub(crate) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting(u64),
    Held(usize),
    Adrift,
}

pub(crate) struct Hold {
    pub(crate) worker: usize,
    pub(crate) tenant: usize,
    pub(crate) task: Option<usize>,
    pub(crate) shape: Shape,
    pub(crate) beside: bool,
    /// Lasts, and none of its children was given a worker yet.
    pub(crate) expects: bool,
}

pub(crate) struct Worker {
    /// The index of its key.
    pub(crate) number: usize,
    pub(crate) kind: WorkerKind,
    pub(crate) capacity: u32,
    pub(crate) provers: Option<u32>,
    pub(crate) pod: u64,
    pub(crate) provides: bool,
    pub(crate) spot: bool,
    pub(crate) open: bool,
}

pub(crate) struct ShapeState {
    pub(crate) shape: Shape,
    pub(crate) since: Option<u64>,
    pub(crate) kept: Option<usize>,
}

type Key = (Reverse<i32>, u64, u64, u64, Reverse<u8>, usize);

impl Reference {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: 0,
            tenants: Vec::new(),
            proofs: Vec::new(),
            tasks: Vec::new(),
            holds: Vec::new(),
            workers: Vec::new(),
            shapes: Vec::new(),
        }
    }

    pub(crate) fn learn(&mut self, shape: Shape) {
        if !self.shapes.iter().any(|s| s.shape == shape) {
            self.shapes.push(ShapeState {
                shape,
                since: None,
                kept: None,
            });
        }
    }

    /// The next decision: task and worker.
    pub(crate) fn next(&mut self, now: u64) -> Option<(usize, usize)> {
        self.now = self.now.max(now);
        self.renew();
        let mut heads: Vec<_> = (0..self.shapes.len())
            .filter_map(|s| Some((self.head(s)?, s)))
            .collect();
        heads.sort_unstable();
        let chosen = heads
            .iter()
            .find_map(|((key, task), shape)| Some((*key, *task, *shape, self.pick(*task)?)));
        let (key, task, shape, worker) = chosen?;
        for ((other, _), s) in &heads {
            let asked = self.shapes[*s].shape;
            let competes = competes(&self.shapes[shape].shape, &asked);
            let lost = *other < key && competes && self.shapes[*s].since.is_none();
            let enough = asked.weight + asked.reserve;
            if lost && self.suits(worker, &asked) && self.worker(worker).capacity >= enough {
                self.shapes[*s].since = Some(self.now);
            }
        }
        let kept = self.shapes.iter().position(|s| s.kept == Some(worker));
        let beside = kept.is_some_and(|other| other != shape && !self.goes_before(task, other));
        let hold = self.hold(task, worker, kept.is_some() && beside);
        let hold = self.holds[hold].as_mut().unwrap();
        hold.expects = hold.shape.reserve > 0;
        self.shapes[shape].since = None;
        self.shapes[shape].kept = None;
        Some((task, worker))
    }

    pub(crate) fn hold(&mut self, task: usize, worker: usize, beside: bool) -> usize {
        let found = self.tasks[task].as_ref().unwrap();
        let kept = self.shapes.iter().any(|s| s.kept == Some(worker));
        let hold = Hold {
            worker,
            tenant: self.proof(found.proof).tenant,
            task: Some(task),
            shape: found.shape,
            beside: kept && (beside || found.shape.reserve > 0),
            expects: false,
        };
        let (proof, shape) = (found.proof, found.shape);
        if shape.reserve == 0 {
            for other in self.holds.iter_mut().flatten() {
                let parent = other.task.and_then(|t| self.tasks[t].as_ref());
                let parent = parent.is_some_and(|t| t.proof == proof);
                other.expects &= !(parent && other.shape.class == shape.class);
            }
        }
        self.holds.push(Some(hold));
        let hold = self.holds.len() - 1;
        self.tasks[task].as_mut().unwrap().state = State::Held(hold);
        hold
    }

    /// Drops what keeps a worker that is gone, and tells which tasks it had.
    pub(crate) fn remove_worker(&mut self, worker: usize) -> Vec<usize> {
        self.workers[worker] = None;
        for shape in &mut self.shapes {
            if shape.kept == Some(worker) {
                shape.kept = None;
            }
        }
        let mut lost = Vec::new();
        for hold in &mut self.holds {
            if hold.as_ref().is_some_and(|h| h.worker == worker) {
                lost.extend(hold.take().unwrap().task);
            }
        }
        for task in &lost {
            self.tasks[*task].as_mut().unwrap().state = State::Adrift;
        }
        lost
    }

    pub(crate) fn worker(&self, worker: usize) -> &Worker {
        self.workers[worker].as_ref().unwrap()
    }

    fn proof(&self, proof: usize) -> &Proof {
        self.proofs[proof].as_ref().unwrap()
    }

    pub(crate) fn proof_of(&self, task: usize) -> &Proof {
        self.proof(self.tasks[task].as_ref().unwrap().proof)
    }

    pub(crate) fn holds_on(&self, worker: usize) -> impl Iterator<Item = &Hold> {
        let holds = self.holds.iter().flatten();
        holds.filter(move |h| h.worker == worker)
    }

    pub(crate) fn used(&self, worker: usize) -> u64 {
        self.holds_on(worker)
            .map(|h| u64::from(h.shape.weight))
            .sum()
    }

    fn free(&self, worker: usize) -> u64 {
        u64::from(self.worker(worker).capacity).saturating_sub(self.used(worker))
    }

    fn room(&self, worker: usize) -> u64 {
        let lasting = self.holds_on(worker).filter(|h| h.shape.reserve > 0);
        let lasting: u64 = lasting.map(|h| u64::from(h.shape.weight)).sum();
        u64::from(self.worker(worker).capacity).saturating_sub(lasting)
    }

    fn room_beside(&self, worker: usize, class: Class) -> u64 {
        let same = self.holds_on(worker).filter(|h| h.shape.class == class);
        let same: u64 = same.map(|h| u64::from(h.shape.weight)).sum();
        u64::from(self.worker(worker).capacity).saturating_sub(same)
    }

    fn open_workers(&self) -> impl Iterator<Item = usize> {
        let open = |w: &usize| self.workers[*w].as_ref().is_some_and(|w| w.open);
        (0..self.workers.len()).filter(open)
    }

    fn serves(&self, worker: usize, class: Class, requirement: Option<Requirement>) -> bool {
        let worker = self.worker(worker);
        worker.kind.serves(class) && (requirement.is_none() || worker.provides)
    }

    pub(crate) fn suits(&self, worker: usize, shape: &Shape) -> bool {
        self.serves(worker, shape.class, shape.requirement)
            && self.worker(worker).capacity >= shape.min_capacity
    }

    pub(crate) fn on_provers(&self, proof: usize) -> usize {
        let holds = self.holds.iter().flatten();
        let on = holds.filter(|h| {
            let task = h.task.and_then(|t| self.tasks[t].as_ref());
            h.shape.class == Class::Gpu && task.is_some_and(|t| t.proof == proof)
        });
        on.count()
    }

    /// How many more tasks of a class a worker may be given, memory apart.
    pub(crate) fn places(&self, worker: usize, class: Class) -> usize {
        match (class, self.worker(worker).provers) {
            (Class::Gpu, Some(provers)) => {
                (provers as usize + 1).saturating_sub(self.proving(worker))
            }
            _ => usize::MAX,
        }
    }

    /// How many tasks that prove a worker has.
    pub(crate) fn proving(&self, worker: usize) -> usize {
        let holds = self.holds_on(worker);
        holds.filter(|h| h.shape.class == Class::Gpu).count()
    }

    /// Whether it is in the queue and may be placed.
    pub(crate) fn is_eligible(&self, task: usize) -> bool {
        let Some(found) = &self.tasks[task] else {
            return false;
        };
        let waits = matches!(found.state, State::Waiting(until) if until <= self.now);
        let cap = self.proof(found.proof).parallelism;
        let capped = || cap.is_some_and(|cap| self.on_provers(found.proof) >= cap.max(1) as usize);
        waits && !(found.shape.class == Class::Gpu && capped())
    }

    fn start_by(&self, proof: usize) -> u64 {
        let Some((at, remaining)) = self.proof(proof).deadline else {
            return u64::MAX;
        };
        let start = at.saturating_sub(remaining);
        let from = start.saturating_sub(self.settings.urgent_slack);
        if self.now >= from && self.now < at {
            start
        } else {
            u64::MAX
        }
    }

    fn key(&self, task: usize) -> Key {
        let found = self.tasks[task].as_ref().unwrap();
        let proof = self.proof(found.proof);
        let start_by = self.start_by(found.proof);
        let class = found.shape.class;
        let used = |of: &dyn Fn(&Hold) -> bool| -> u64 {
            let holds = self.holds.iter().flatten();
            let holds = holds.filter(|h| h.shape.class == class && of(h));
            holds.map(|h| u64::from(h.shape.weight)).sum::<u64>() << 16
        };
        let (mut tenant, mut own) = (0, 0);
        if start_by == u64::MAX {
            tenant = used(&|h| h.tenant == proof.tenant);
            tenant /= u64::from(self.tenants[proof.tenant].max(1));
            let of_proof = |t: usize| self.tasks[t].as_ref().map(|t| t.proof);
            own = used(&|h| h.task.and_then(of_proof) == Some(found.proof));
        }
        let stage = Reverse(found.stage);
        (Reverse(proof.priority), start_by, tenant, own, stage, task)
    }

    fn head(&self, shape: usize) -> Option<(Key, usize)> {
        let shape = self.shapes[shape].shape;
        let tasks = 0..self.tasks.len();
        let tasks = tasks.filter(|t| self.tasks[*t].as_ref().is_some_and(|t| t.shape == shape));
        let tasks = tasks.filter(|t| self.is_eligible(*t));
        tasks.map(|t| (self.key(t), t)).min()
    }

    /// Whether a task comes before those of a shape by priority or urgency.
    fn precedes(&self, task: usize, other: usize) -> bool {
        let key = self.key(task);
        self.head(other)
            .is_some_and(|(head, _)| (key.0, key.1) < (head.0, head.1))
    }

    /// Whether that a worker is kept for another shape is nothing to a task.
    fn goes_before(&self, task: usize, other: usize) -> bool {
        let shape = self.tasks[task].as_ref().unwrap().shape;
        self.precedes(task, other) || !competes(&shape, &self.shapes[other].shape)
    }

    /// Whether a worker that is kept for a shape takes a task of another.
    fn passes(&self, task: usize, other: usize) -> bool {
        let shape = self.tasks[task].as_ref().unwrap().shape;
        let lasting = self.shapes[other].shape.reserve > 0;
        self.goes_before(task, other) || (lasting && self.is_awaited(&shape))
    }

    /// Whether tasks of the shape wait whose proof has a lasting task that runs.
    fn is_awaited(&self, shape: &Shape) -> bool {
        let runs = |t: &Task| matches!(t.state, State::Held(_)) && t.shape.reserve > 0;
        let tasks = || self.tasks.iter().flatten();
        let driven = |proof| tasks().any(|t| t.proof == proof && runs(t));
        let waits = |t: &Task| matches!(t.state, State::Waiting(until) if until <= self.now);
        tasks().any(|t| t.shape == *shape && waits(t) && driven(t.proof))
    }

    /// The worker that a task would get now.
    pub(crate) fn pick(&self, task: usize) -> Option<usize> {
        let found = self.tasks[task].as_ref().unwrap();
        let fit: Vec<_> = self
            .open_workers()
            .filter(|w| self.fits(task, *w))
            .collect();
        let near = |w: &usize| match found.avoid {
            Some(pod) if self.worker(*w).pod == pod => 2,
            Some(pod) if self.worker(*w).pod / 2 == pod / 2 => 1,
            _ => 0,
        };
        if let Some(prefer) = found.prefer
            && fit.contains(&prefer)
            && near(&prefer) == 0
        {
            return Some(prefer);
        }
        let shape = &found.shape;
        let spots = self.workers.iter().flatten().any(|w| w.spot);
        let kept = |w: &usize| self.shapes.iter().any(|s| s.kept == Some(*w));
        fit.into_iter().min_by_key(|w| {
            let worker = self.worker(*w);
            let load = (self.used(*w), worker.capacity, worker.number);
            let steady = !worker.spot && self.leaves_room(shape, *w, true);
            let unsteady = shape.steady && spots && !steady;
            (near(w), unsteady, kept(w), load)
        })
    }

    fn fits(&self, task: usize, worker: usize) -> bool {
        let shape = &self.tasks[task].as_ref().unwrap().shape;
        let taken = |h: &Hold| shape.slot.is_some() && h.shape.slot == shape.slot;
        self.suits(worker, shape)
            && !self.holds_on(worker).any(taken)
            && self.places(worker, shape.class) > 0
            && self.leaves_room(shape, worker, false)
            && self.allowance(task, worker) >= u64::from(shape.weight)
    }

    /// Whether a lasting task on a worker leaves others the places that they came for, among all workers or those that are not on spot nodes.
    fn leaves_room(&self, shape: &Shape, chosen: usize, steady: bool) -> bool {
        if shape.reserve == 0 {
            return true;
        }
        let workers = self
            .open_workers()
            .filter(|w| self.serves(*w, shape.class, shape.requirement))
            .filter(|w| !steady || !self.worker(*w).spot);
        let before: u64 = workers.map(|w| self.children(shape, w, 0)).sum();
        let after = before - self.takes(shape, chosen);
        let holds = self.holds.iter().flatten();
        let expecting = holds.filter(|h| h.expects && h.shape.class == shape.class);
        after >= 1 && after >= before.min(expecting.count() as u64)
    }

    /// How many children of a lasting task a worker has room for, beside so much.
    fn children(&self, shape: &Shape, worker: usize, beside: u32) -> u64 {
        let room = self.room_beside(worker, shape.class);
        let room = room.saturating_sub(u64::from(beside));
        room.checked_div(u64::from(shape.reserve)).unwrap_or(0)
    }

    /// How many fewer, if the task is there itself.
    fn takes(&self, shape: &Shape, worker: usize) -> u64 {
        self.children(shape, worker, 0) - self.children(shape, worker, shape.weight)
    }

    fn allowance(&self, task: usize, worker: usize) -> u64 {
        let free = self.free(worker);
        let Some(kept) = self.shapes.iter().position(|s| s.kept == Some(worker)) else {
            return free;
        };
        let shape = &self.tasks[task].as_ref().unwrap().shape;
        let large = self.shapes[kept].shape;
        if large == *shape || self.passes(task, kept) {
            return free;
        }
        if large.slot.is_some() && large.slot == shape.slot {
            return 0;
        }
        if large.class == shape.class && self.places(worker, shape.class) < 2 {
            return 0;
        }
        let beside = self.holds_on(worker).filter(|h| h.beside);
        let beside: u64 = beside.map(|h| u64::from(h.shape.weight)).sum();
        let child = if large.reserve > 0 { shape.reserve } else { 0 };
        let taken = u64::from(large.weight + large.reserve + child) + beside;
        let spare = u64::from(self.worker(worker).capacity).saturating_sub(taken);
        free.min(spare)
    }

    /// Drops reservations that are of no more use, and makes those that are due.
    fn renew(&mut self) {
        let mut due = Vec::new();
        for s in 0..self.shapes.len() {
            let Some(since) = self.shapes[s].since else {
                continue;
            };
            let head = self.head(s);
            let shape = self.shapes[s].shape;
            if let Some(worker) = self.shapes[s].kept
                && (head.is_none() || !self.could_keep(worker, &shape))
            {
                self.shapes[s].kept = None;
            }
            match head {
                None => self.shapes[s].since = None,
                Some((key, _)) if self.shapes[s].kept.is_none() => {
                    if since + self.settings.patience <= self.now {
                        due.push((key, s));
                    }
                }
                Some(_) => {}
            }
        }
        due.sort_unstable();
        for (_, s) in due {
            let shape = self.shapes[s].shape;
            let taken = |w: &usize| self.shapes.iter().any(|s| s.kept == Some(*w));
            let workers = self.open_workers();
            let workers = workers.filter(|w| !taken(w) && self.could_keep(*w, &shape));
            let best = workers.max_by_key(|w| {
                let worker = self.worker(*w);
                let unsteady = shape.steady && worker.spot;
                (!unsteady, self.free(*w), Reverse(worker.number))
            });
            if let Some(worker) = best {
                for hold in self.holds.iter_mut().flatten() {
                    if hold.worker == worker {
                        hold.beside = hold.shape.reserve > 0;
                    }
                }
                self.shapes[s].kept = Some(worker);
            }
        }
    }

    fn could_keep(&self, worker: usize, shape: &Shape) -> bool {
        self.workers[worker].as_ref().is_some_and(|w| w.open)
            && self.suits(worker, shape)
            && self.room(worker) >= u64::from(shape.weight + shape.reserve)
    }
}

/// Whether tasks of a shape take room that those of another wait for.
fn competes(shape: &Shape, other: &Shape) -> bool {
    other.reserve == 0 || shape.class == other.class
}
