//! What a call must look like before it becomes an event.

use provost_proto::worker::{TaskData, TaskType, WorkerType};

use crate::ids::{ProofId, TaskId};
use crate::refusal::Refusal;

/// Longest name of anything, in bytes.
const MAX_ID: usize = 256;

/// Longest input or output of a task, in bytes. Most are artifact ids; some are literals.
const MAX_ARTIFACT: usize = 1024 * 1024;

/// Most inputs or outputs of a task.
const MAX_ARTIFACTS: usize = 16_384;

/// Most names in one call.
const MAX_NAMES: usize = 100_000;

/// Most tasks that a worker may have in hand.
const MAX_ACTIVE: usize = 4_096;

/// Largest capacity that a worker may have, in GiB.
const MAX_WEIGHT: u32 = 1 << 20;

/// Longest text that goes into an outcome, in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// A name: some bytes, and nothing that would garble a log line.
pub(super) fn id<T: From<String>>(what: &str, text: String) -> Result<T, Refusal> {
    if text.is_empty() {
        return Err(Refusal::Invalid(format!("{what} is empty")));
    }
    optional_id(what, text)
}

/// A name that may be left out.
pub(super) fn optional_id<T: From<String>>(what: &str, text: String) -> Result<T, Refusal> {
    if text.len() > MAX_ID {
        let message = format!("{what} is longer than {MAX_ID} bytes");
        return Err(Refusal::Invalid(message));
    }
    if text.chars().any(char::is_control) {
        let message = format!("{what} has control characters in it");
        return Err(Refusal::Invalid(message));
    }
    Ok(T::from(text))
}

/// A list of names.
pub(super) fn ids<T: From<String>>(what: &str, texts: Vec<String>) -> Result<Vec<T>, Refusal> {
    if texts.len() > MAX_NAMES {
        let message = format!("{} of {what}: at most {MAX_NAMES} in one call", texts.len());
        return Err(Refusal::Invalid(message));
    }
    texts.into_iter().map(|text| id(what, text)).collect()
}

/// The tasks that a worker has in hand: two lists, entry by entry.
pub(super) fn active(
    proofs: Vec<String>,
    tasks: Vec<String>,
) -> Result<Vec<(ProofId, TaskId)>, Refusal> {
    if proofs.len() != tasks.len() {
        let message = format!("{} proof ids for {} task ids", proofs.len(), tasks.len());
        return Err(Refusal::Invalid(message));
    }
    if tasks.len() > MAX_ACTIVE {
        let message = format!("{} active tasks: at most {MAX_ACTIVE}", tasks.len());
        return Err(Refusal::Invalid(message));
    }
    let proofs = ids("active_task_proof_ids", proofs)?;
    let tasks = ids("active_task_ids", tasks)?;
    Ok(proofs.into_iter().zip(tasks).collect())
}

/// A text that is passed on to the state.
pub(super) fn text(what: &str, text: Option<String>) -> Result<String, Refusal> {
    let text = text.unwrap_or_default();
    if text.len() > MAX_TEXT {
        let message = format!("{what} is longer than {MAX_TEXT} bytes");
        return Err(Refusal::Invalid(message));
    }
    Ok(text)
}

/// What a worker runs, from its number.
pub(super) fn worker_kind(number: i32) -> Result<WorkerType, Refusal> {
    match WorkerType::try_from(number) {
        Ok(kind @ (WorkerType::Cpu | WorkerType::Gpu | WorkerType::All)) => Ok(kind),
        _ => Err(Refusal::Invalid(format!(
            "worker_type {number} is none of CPU, GPU and ALL"
        ))),
    }
}

/// A worker's capacity.
pub(super) fn capacity(weight: u32) -> Result<u32, Refusal> {
    match weight {
        0 => Err(Refusal::Invalid(
            "max_weight is 0, so that no task would ever fit: is /dev/shm or the memory limit below 1 GiB?".to_owned(),
        )),
        1..=MAX_WEIGHT => Ok(weight),
        _ => Err(Refusal::Invalid(format!(
            "max_weight {weight} is more than {MAX_WEIGHT} GiB"
        ))),
    }
}

/// A task to create: its type, and what it is made of.
pub(super) fn task(data: Option<TaskData>) -> Result<(TaskType, TaskData), Refusal> {
    let Some(mut data) = data else {
        return Err(Refusal::Invalid("the task has no data".to_owned()));
    };
    let kind = match TaskType::try_from(data.task_type) {
        Ok(kind) if kind != TaskType::UnspecifiedTaskType => kind,
        _ => {
            let message = format!("task_type {} is not known", data.task_type);
            return Err(Refusal::Invalid(message));
        }
    };
    data.proof_id = id("proof_id", data.proof_id)?;
    data.requester = optional_id("requester", data.requester)?;
    data.metadata = text("metadata", Some(data.metadata))?;
    data.parent_id = match data.parent_id {
        Some(parent) => Some(optional_id("parent_id", parent)?),
        None => None,
    };
    artifacts("inputs", &data.inputs)?;
    artifacts("outputs", &data.outputs)?;
    Ok((kind, data))
}

/// The inputs or outputs of a task.
pub(super) fn artifacts(what: &str, list: &[String]) -> Result<(), Refusal> {
    if list.len() > MAX_ARTIFACTS {
        let message = format!("{} {what}: a task has at most {MAX_ARTIFACTS}", list.len());
        return Err(Refusal::Invalid(message));
    }
    match list.iter().position(|text| text.len() > MAX_ARTIFACT) {
        Some(i) => Err(Refusal::Invalid(format!(
            "{what}[{i}] is longer than {MAX_ARTIFACT} bytes"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!(id::<String>("x", "task_1".into()).is_ok());
        for bad in ["", "a\nb", &"x".repeat(257)] {
            assert!(id::<String>("x", bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_worker_without_capacity_is_told_why() {
        let message = capacity(0).unwrap_err().to_string();
        assert!(message.contains("/dev/shm"), "{message}");
        assert!(capacity(u32::MAX).is_err());
        assert!(worker_kind(4).is_err() && worker_kind(99).is_err());
    }

    #[test]
    fn a_task_needs_a_known_type_and_a_proof() {
        assert!(task(None).is_err());
        assert!(task(Some(TaskData::default())).is_err());
        let data = TaskData {
            task_type: TaskType::ProveShard.into(),
            proof_id: "p".into(),
            ..TaskData::default()
        };
        assert_eq!(task(Some(data)).unwrap().0, TaskType::ProveShard);
    }
}
