//! Which class of worker runs which type of task.

use crate::worker::{TaskType, WorkerType};

/// The class of worker that a task needs: `Cpu`, `Gpu`, or `None` for a task that no worker runs. The same table as SP1's own.
pub fn class_of(task: TaskType) -> WorkerType {
    match task {
        TaskType::Controller
        | TaskType::CoreExecute
        | TaskType::ExecuteOnly
        | TaskType::Groth16Wrap
        | TaskType::PlonkWrap
        | TaskType::UtilVkeyMapController => WorkerType::Cpu,
        TaskType::SetupVkey
        | TaskType::ProveShard
        | TaskType::RecursionDeferred
        | TaskType::RecursionReduce
        | TaskType::ShrinkWrap
        | TaskType::UtilVkeyMapChunk => WorkerType::Gpu,
        TaskType::MarkerDeferredRecord | TaskType::UnspecifiedTaskType => WorkerType::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_class() {
        assert_eq!(class_of(TaskType::Controller), WorkerType::Cpu);
        assert_eq!(class_of(TaskType::ProveShard), WorkerType::Gpu);
        assert_eq!(class_of(TaskType::MarkerDeferredRecord), WorkerType::None);
        assert_eq!(class_of(TaskType::UnspecifiedTaskType), WorkerType::None);
    }
}
