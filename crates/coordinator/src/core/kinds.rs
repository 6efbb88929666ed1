//! Types of tasks and workers, and times, in the scheduler's terms.

use provost_proto::class_of;
use provost_proto::worker::{TaskType, WorkerType};
use provost_scheduler::{Class, Requirement, Shape, Slot, TaskKind, WorkerKind};

use super::Core;
use crate::Millis;
use crate::shards::ShardSize;

/// The circuit files of a PlonkWrap fill a machine's cache and disk: one at a time.
const PLONK: Slot = Slot::new(0);

/// What a prover of full shards has.
pub(super) const FULL_SHARDS: Requirement = Requirement(0);

/// What a task of a type asks of a worker, in a run with shards of a size; `None` for what no worker runs.
pub(super) fn shape_of(
    kind: TaskType,
    weight: u32,
    reserve: u32,
    shards: Option<ShardSize>,
) -> Option<Shape> {
    let class = class(class_of(kind))?;
    let shape = Shape::new(class, weight).with_reserve(reserve);
    Some(match kind {
        // Without its Controller or its execution a proof begins again; a wrap takes long.
        TaskType::Controller
        | TaskType::CoreExecute
        | TaskType::ExecuteOnly
        | TaskType::Groth16Wrap => shape.steady(),
        TaskType::PlonkWrap => shape.with_slot(PLONK).steady(),
        TaskType::ProveShard if shards == Some(ShardSize::Full) => {
            shape.with_requirement(FULL_SHARDS)
        }
        _ => shape,
    })
}

/// The class of tasks that a kind of worker runs; `None` where that is not one.
pub(super) const fn class(kind: WorkerType) -> Option<Class> {
    match kind {
        WorkerType::Cpu => Some(Class::Cpu),
        WorkerType::Gpu => Some(Class::Gpu),
        _ => None,
    }
}

/// Which tasks a worker runs; the doors let no other kinds in.
pub(super) const fn worker_kind(kind: WorkerType) -> WorkerKind {
    match kind {
        WorkerType::Gpu => WorkerKind::Gpu,
        WorkerType::All => WorkerKind::All,
        _ => WorkerKind::Cpu,
    }
}

/// How close to the end of its proof a task is: the higher goes first.
pub(super) const fn stage_of(kind: TaskType) -> u8 {
    match task_kind(kind) {
        Some(kind) => kind.stage(),
        None => 0,
    }
}

/// A type of tasks; `None` for what no worker runs.
pub(super) const fn task_kind(kind: TaskType) -> Option<TaskKind> {
    Some(match kind {
        TaskType::Controller => TaskKind::Controller,
        TaskType::CoreExecute => TaskKind::CoreExecute,
        TaskType::ExecuteOnly => TaskKind::ExecuteOnly,
        TaskType::SetupVkey => TaskKind::SetupVkey,
        TaskType::ProveShard => TaskKind::ProveShard,
        TaskType::RecursionDeferred => TaskKind::RecursionDeferred,
        TaskType::RecursionReduce => TaskKind::RecursionReduce,
        TaskType::ShrinkWrap => TaskKind::ShrinkWrap,
        TaskType::PlonkWrap => TaskKind::PlonkWrap,
        TaskType::Groth16Wrap => TaskKind::Groth16Wrap,
        TaskType::UtilVkeyMapController => TaskKind::UtilVkeyMapController,
        TaskType::UtilVkeyMapChunk => TaskKind::UtilVkeyMapChunk,
        TaskType::MarkerDeferredRecord | TaskType::UnspecifiedTaskType => return None,
    })
}

impl Core {
    /// How long an attempt at a task of a type may take; `None` for what no worker runs.
    pub(crate) fn time_limit(&self, kind: TaskType) -> Option<Millis> {
        task_kind(kind).map(|kind| from_ticks(self.config.timeouts.of(kind)))
    }
}

/// Time as the scheduler counts it.
pub(crate) fn ticks(at: Millis) -> provost_scheduler::Millis {
    provost_scheduler::Millis::try_from(at).unwrap_or(0)
}

/// The scheduler's time as ours.
pub(crate) fn from_ticks(at: provost_scheduler::Millis) -> Millis {
    Millis::try_from(at).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use provost_proto::worker::TaskType::*;

    use super::*;

    /// What takes long, or ends a whole proof with it.
    #[test]
    fn which_tasks_are_kept_off_spot_nodes() {
        let steady =
            |kind: &TaskType| shape_of(*kind, 1, 0, None).is_some_and(|shape| shape.steady);
        let kinds = (0..64).filter_map(|number| TaskType::try_from(number).ok());
        let mut found: Vec<_> = kinds.filter(steady).collect();
        let mut expected = [Controller, CoreExecute, ExecuteOnly, PlonkWrap, Groth16Wrap];
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}
