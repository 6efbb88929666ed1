//! Tasks, and their way through the phases.

use std::collections::BTreeMap;
use std::sync::Arc;

use provost_proto::class_of;
use provost_proto::worker::{TaskData, TaskStatus, TaskType, WorkerType};

use super::queue::{Rank, Shape};
use super::{Core, LinkId, Proof};
use crate::Millis;
use crate::failure::FailureClass;
use crate::ids::{ProofId, SubId, TaskId, WorkerId};

/// One unit of work, or a marker.
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) proof: ProofId,
    pub(crate) kind: TaskType,
    pub(crate) shape: Shape,
    pub(crate) rank: Rank,
    /// What goes to the worker; dropped once the task is final.
    pub(crate) data: Option<Arc<TaskData>>,
    /// Assignments so far.
    pub(crate) attempt: u32,
    /// Failed attempts. For a task that restarts its proof the proof's own tally counts instead, since the task does not survive.
    pub(crate) tally: Tally,
    /// The worker of the last attempt: another is better.
    pub(crate) avoid: Option<WorkerId>,
    /// Subscriptions that wait for the result.
    pub(crate) subs: Vec<SubId>,
    /// Processes that wait for the result, or have not taken it in: the creator's, and those that watch.
    pub(crate) takers: Vec<LinkId>,
    /// The process that keeps the result until all of them have.
    pub(crate) keeper: Option<LinkId>,
    phase: Phase,
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A marker: it waits to be completed, no worker runs it.
    Marker,
    /// Not to be given to a worker yet.
    Held(Held),
    /// In the queue.
    Queued,
    /// Waiting out a back-off.
    Delayed(Millis),
    /// With a worker, which holds it.
    Assigned(WorkerId),
    Succeeded,
    Failed,
}

/// Why a task is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// It may run somewhere: not all workers have told a new leader what they run.
    Recovery,
    /// It is a root whose run is not stored yet; after that it waits until the given time.
    Storing(Millis),
}

impl Phase {
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    pub(crate) const fn status(&self) -> TaskStatus {
        match self {
            Self::Marker | Self::Held(_) | Self::Queued | Self::Delayed(_) => TaskStatus::Pending,
            Self::Assigned(_) => TaskStatus::Running,
            Self::Succeeded => TaskStatus::Succeeded,
            Self::Failed => TaskStatus::FailedFatal,
        }
    }
}

/// Failed attempts by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) retries: u32,
    pub(crate) losses: BTreeMap<FailureClass, u32>,
}

impl Tally {
    /// Counts one more loss of the class and says how many there are now.
    pub(crate) fn lose(&mut self, class: FailureClass) -> u32 {
        let count = self.losses.entry(class).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

/// Whether a task of this type restarts its proof when it has to run again. What the Controller has taken in can not be replaced piecemeal, and
/// CoreExecute feeds it.
pub(crate) const fn is_unit(kind: TaskType) -> bool {
    matches!(
        kind,
        TaskType::Controller | TaskType::CoreExecute | TaskType::ExecuteOnly
    )
}

/// How close to the end of its proof a task is: what is further goes first, since it frees the most. What everything else waits for goes before all.
pub(crate) const fn stage_of(kind: TaskType) -> u8 {
    match kind {
        TaskType::SetupVkey => 9,
        TaskType::Controller | TaskType::CoreExecute | TaskType::ExecuteOnly => 8,
        TaskType::PlonkWrap | TaskType::Groth16Wrap => 7,
        TaskType::ShrinkWrap => 6,
        TaskType::RecursionReduce => 5,
        TaskType::RecursionDeferred => 4,
        TaskType::ProveShard => 3,
        TaskType::UtilVkeyMapController => 2,
        TaskType::UtilVkeyMapChunk => 1,
        TaskType::MarkerDeferredRecord | TaskType::UnspecifiedTaskType => 0,
    }
}

impl Task {
    pub(crate) fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The worker that has it now.
    pub(crate) fn worker(&self) -> Option<&WorkerId> {
        match &self.phase {
            Phase::Assigned(worker) => Some(worker),
            _ => None,
        }
    }

    /// Whether it counts towards its proof's parallelism: what runs on provers does. The root never does, or nothing else could run.
    fn is_capped(&self) -> bool {
        self.shape.class == WorkerType::Gpu
    }
}

impl Core {
    pub(crate) fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.get(id)
    }

    /// A task's own fields; its phase is changed by [`Core::set_phase`].
    pub(crate) fn task_mut(&mut self, id: &str) -> Option<&mut Task> {
        self.tasks.get_mut(id)
    }

    /// Adds a task to a proof, in the given phase. `data` gets our weight. Does nothing if the proof is not there.
    pub(crate) fn add_task(
        &mut self,
        id: TaskId,
        proof: &ProofId,
        kind: TaskType,
        mut data: TaskData,
        phase: Phase,
    ) {
        let seq = self.next_seq();
        let weight = self.config.weights.of(kind);
        let Some(owner) = self.proofs.get_mut(proof) else {
            return;
        };
        data.weight = weight;
        owner.tasks.insert(id.clone());
        let reserve = if kind == TaskType::Controller {
            owner.reserve
        } else {
            0
        };
        let task = Task {
            id: id.clone(),
            proof: proof.clone(),
            kind,
            shape: Shape {
                class: class_of(kind),
                weight,
                reserve,
            },
            rank: Rank::new(stage_of(kind), seq),
            data: Some(Arc::new(data)),
            attempt: 0,
            tally: Tally::default(),
            avoid: None,
            subs: Vec::new(),
            takers: Vec::new(),
            keeper: None,
            phase: phase.clone(),
        };
        owner.count(kind, &phase, 1);
        self.total_tasks += 1;
        self.tasks.insert(id.clone(), task);
        self.enter(&id, &phase);
    }

    /// Moves a task to another phase, and with it the queue, the counts and the proof's parallelism. The hold of the worker that had it is the
    /// caller's to end.
    pub(crate) fn set_phase(&mut self, id: &TaskId, phase: Phase) {
        let Some(old) = self.leave(id) else { return };
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        if phase.is_final() {
            task.data = None;
        }
        task.phase = phase.clone();
        if let Some(proof) = self.proofs.get_mut(&task.proof) {
            proof.count(task.kind, &old, -1);
            proof.count(task.kind, &phase, 1);
        }
        self.enter(id, &phase);
    }

    /// Forgets a task altogether. Its hold is the caller's to end.
    pub(crate) fn remove_task(&mut self, id: &TaskId) -> Option<Task> {
        let old = self.leave(id)?;
        let task = self.tasks.remove(id)?;
        if let Some(proof) = self.proofs.get_mut(&task.proof) {
            proof.count(task.kind, &old, -1);
            proof.tasks.remove(id);
            self.dirty.insert(task.proof.clone());
        }
        Some(task)
    }

    fn leave(&mut self, id: &TaskId) -> Option<Phase> {
        let task = self.tasks.get(id)?;
        let phase = task.phase.clone();
        match &phase {
            Phase::Queued => {
                if let Some(proof) = self.proofs.get(&task.proof) {
                    self.queue.remove(&task.shape, &proof.order, &task.rank);
                }
            }
            Phase::Delayed(until) => {
                self.delayed.remove(&(*until, id.clone()));
            }
            Phase::Assigned(_) if task.is_capped() => {
                if let Some(proof) = self.proofs.get_mut(&task.proof) {
                    proof.running_capped = proof.running_capped.saturating_sub(1);
                    self.wake = true;
                }
            }
            _ => {}
        }
        Some(phase)
    }

    fn enter(&mut self, id: &TaskId, phase: &Phase) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        self.dirty.insert(task.proof.clone());
        match phase {
            Phase::Queued => {
                if let Some(proof) = self.proofs.get(&task.proof) {
                    self.queue
                        .insert(task.shape, &proof.order, &task.proof, task.rank, id.clone());
                    self.wake = true;
                }
            }
            Phase::Delayed(until) => {
                self.delayed.insert((*until, id.clone()));
            }
            Phase::Assigned(_) if task.is_capped() => {
                if let Some(proof) = self.proofs.get_mut(&task.proof) {
                    proof.running_capped += 1;
                }
            }
            _ => {}
        }
    }

    /// Tasks whose back-off is over.
    pub(crate) fn due(&self, now: Millis) -> Vec<TaskId> {
        self.delayed
            .iter()
            .take_while(|(until, _)| *until <= now)
            .map(|(_, id)| id.clone())
            .collect()
    }

    /// The tally that counts for a task: its proof's where the task restarts the proof, else its own.
    pub(crate) fn tally_mut(&mut self, id: &str) -> Option<&mut Tally> {
        let task = self.tasks.get_mut(id)?;
        let proof = self.proofs.get_mut(&task.proof)?;
        if proof.restarts_with(task.kind) {
            Some(proof.tallies.entry(task.kind).or_default())
        } else {
            Some(&mut task.tally)
        }
    }

    /// Whether the proof may not have more tasks on provers.
    pub(crate) fn at_cap(&self, proof: &str) -> bool {
        let limit = |proof: &Proof| proof.spec.parallelism.unwrap_or(self.config.parallelism);
        self.proofs
            .get(proof)
            .is_some_and(|proof| proof.running_capped >= limit(proof).max(1))
    }
}
