//! Which waiting task goes to which worker next. Pure: it reads a view and decides; the reactor carries it out and asks again.
//!
//! Among the heads of the queues the first in order goes first: priority, proof age, stage, task age. It goes to the emptiest worker that fits. What
//! fits nowhere is stepped over, so that it never holds up what would fit.

use std::collections::HashSet;

use provost_proto::worker::WorkerType;

use crate::core::{Core, Fleet, Queue, Shape, Worker};
use crate::ids::{ProofId, TaskId, WorkerId};

/// What placement needs to know.
pub(crate) trait View {
    /// The tasks that wait.
    fn queue(&self) -> &Queue;
    /// The workers that take tasks.
    fn fleet(&self) -> &Fleet;
    /// Whether the proof may have no more tasks on provers.
    fn at_cap(&self, proof: &ProofId) -> bool;
    /// What is known of a task's past and company.
    fn hint(&self, task: &TaskId) -> Hint;
    /// What a worker has free.
    fn free(&self, worker: &WorkerId) -> u64;
    /// What a worker could give at most to one task, once all but its Controllers is done.
    fn room(&self, worker: &WorkerId) -> u64;
}

/// Where a task had better go, or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hint {
    /// A worker that it should go to, if it takes tasks.
    pub(crate) prefer: Option<WorkerId>,
    /// A worker whose pod it should not go to, if there is another.
    pub(crate) avoid: Option<WorkerId>,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) task: TaskId,
    pub(crate) worker: WorkerId,
}

/// Shapes that fit no worker any more, in one round of decisions.
pub(crate) type Stepped = HashSet<Shape>;

/// The next task to place, and where. `None` when nothing more fits in this round.
pub(crate) fn choose(view: &impl View, stepped: &mut Stepped) -> Option<Choice> {
    loop {
        let waiting = view.queue().shapes().filter(|s| !stepped.contains(s));
        let (shape, head) = waiting
            .filter_map(|shape| {
                let capped = shape.class == WorkerType::Gpu;
                let head = view.queue().head(shape, |p| capped && view.at_cap(p))?;
                Some((*shape, head))
            })
            .min_by(|(_, a), (_, b)| a.order.cmp(&b.order))?;
        if let Some(worker) = pick(view, &shape, &view.hint(&head.task)) {
            let task = head.task;
            return Some(Choice { task, worker });
        }
        stepped.insert(shape);
    }
}

fn pick(view: &impl View, shape: &Shape, hint: &Hint) -> Option<WorkerId> {
    let weight = u64::from(shape.weight);
    let avoided = |id: &WorkerId| hint.avoid.as_ref().is_some_and(|a| a.pod() == id.pod());
    let mut second = None;
    for (free, id) in view.fleet().by_free(shape.class) {
        if free < weight {
            break;
        }
        if !leaves_room(view, shape, id) {
            continue;
        }
        if avoided(id) {
            second.get_or_insert(id);
            continue;
        }
        let preferred = hint.prefer.as_ref().filter(|p| !avoided(p));
        return Some(match preferred {
            Some(other) if view.free(other) >= weight => other.clone(),
            _ => id.clone(),
        });
    }
    second.cloned()
}

/// Whether, with the task on this worker, some worker can still take the heaviest of its children.
fn leaves_room(view: &impl View, shape: &Shape, chosen: &WorkerId) -> bool {
    let reserve = u64::from(shape.reserve);
    if reserve == 0 {
        return true;
    }
    let mut workers = view.fleet().by_free(shape.class);
    workers.any(|(_, id)| {
        let taken = if id == chosen { shape.weight } else { 0 };
        view.room(id) >= reserve + u64::from(taken)
    })
}

impl View for Core {
    fn queue(&self) -> &Queue {
        Core::queue(self)
    }

    fn fleet(&self) -> &Fleet {
        Core::fleet(self)
    }

    fn at_cap(&self, proof: &ProofId) -> bool {
        Core::at_cap(self, proof)
    }

    fn hint(&self, task: &TaskId) -> Hint {
        let Some(task) = self.task(task) else {
            return Hint::default();
        };
        // Controller and CoreExecute are lost together: on one worker they are lost half as often.
        let root = self.proof(&task.proof).and_then(|p| p.root.as_ref());
        let home = root.and_then(|root| self.task(root)?.worker());
        let prefer = home.filter(|worker| {
            let worker = self.worker(worker);
            task.shape.class == WorkerType::Cpu && worker.is_some_and(Worker::is_available)
        });
        Hint {
            prefer: prefer.cloned(),
            avoid: task.avoid.clone(),
        }
    }

    fn free(&self, worker: &WorkerId) -> u64 {
        self.worker(worker).map_or(0, Worker::free)
    }

    fn room(&self, worker: &WorkerId) -> u64 {
        self.worker(worker).map_or(0, Worker::room)
    }
}
