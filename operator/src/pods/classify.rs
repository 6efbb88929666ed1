//! Reads the end of a worker, and why it came, off its pod. Pure.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod, PodCondition};
use provost_crds::{FailureClass, POOL_LABEL, reasons};

/// Exit code of a worker that asks to be replaced.
pub const RECYCLE_EXIT_CODE: i32 = 75;
/// Exit code of a worker that has no GPU which it can use.
const NO_DEVICE_EXIT_CODE: i32 = 69;
/// Name of the worker's container.
pub const CONTAINER: &str = "worker";
/// Exit code of a process that was killed by SIGKILL.
const KILLED: i32 = 137;

/// How a worker came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It drained and left, or asked to be replaced: nobody's failure.
    Orderly,
    /// It failed for a reason of this class.
    Failed(FailureClass),
}

/// Why a worker's process ended by itself, with an error. Its machine may be the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// It has no GPU, one that is too small, lost, or that computes wrongly.
    Device,
    /// Anything else.
    Other,
}

/// The end of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// How it ended.
    pub ending: Ending,
    /// Whether and why it crashed.
    pub crash: Option<Crash>,
    /// What happened, for people; names pool and memory limit where they matter.
    pub message: String,
}

impl End {
    /// The class under which the worker's tasks are given to others.
    pub fn class(&self) -> FailureClass {
        match self.ending {
            Ending::Orderly => FailureClass::Preempted,
            Ending::Failed(class) => class,
        }
    }

    /// Reason of the event on the worker's pool: its class, unless the pool's user can do something about what lies behind it.
    pub fn reason(&self) -> &'static str {
        match self.crash {
            Some(Crash::Device) => reasons::DEVICE_UNAVAILABLE,
            Some(Crash::Other) | None => self.class().as_str(),
        }
    }
}

/// The end of the worker in `pod`, or `None` while it may still run. `deleted` tells that the pod object is gone: then
/// the worker is gone too, whatever its last status said.
pub fn classify(pod: &Pod, deleted: bool) -> Option<End> {
    let status = pod.status.as_ref();
    let reason = status.and_then(|s| s.reason.as_deref()).unwrap_or_default();
    let message = status
        .and_then(|s| s.message.as_deref())
        .unwrap_or_default();
    let phase = status.and_then(|s| s.phase.as_deref()).unwrap_or_default();
    let over = deleted || matches!(phase, "Failed" | "Succeeded");
    let pool = pool(pod);
    if let Some(terminated) = terminated(pod)
        .filter(|t| over || t.exit_code == KILLED || t.exit_code == RECYCLE_EXIT_CODE)
    {
        if terminated.reason.as_deref() == Some("OOMKilled") {
            return Some(out_of_memory(pod, &pool));
        }
        if !over || reason.is_empty() {
            return Some(exited(terminated, &pool, deleted || being_deleted(pod)));
        }
    }
    if let Some(condition) = disruption(pod).filter(|_| over) {
        let why = condition.message.as_deref().unwrap_or_default();
        let how = condition.reason.as_deref().unwrap_or_default();
        let class = if how == "DeletionByTaintManager" {
            FailureClass::NodeLost
        } else {
            FailureClass::Preempted
        };
        return Some(failed(
            class,
            format!("worker of pool {pool} disrupted ({how}): {why}"),
        ));
    }
    match reason {
        _ if !over => None,
        "Evicted" if memory_pressure(message) && over_own_limit(message) => {
            Some(out_of_memory(pod, &pool))
        }
        "Evicted" | "Preempting" | "Preempted" | "Terminated" | "Shutdown" => Some(failed(
            FailureClass::Preempted,
            format!("worker of pool {pool} evicted: {message}"),
        )),
        "NodeLost" | "NodeShutdown" | "NodeAffinity" => Some(failed(
            FailureClass::NodeLost,
            format!("node of a worker of pool {pool} lost: {message}"),
        )),
        "" if deleted => Some(End {
            ending: Ending::Orderly,
            crash: None,
            message: format!("pod of pool {pool} deleted"),
        }),
        other => Some(failed(
            FailureClass::NodeLost,
            format!("worker of pool {pool} ended: {other} {message}"),
        )),
    }
}

/// The end of a worker whose pod was to be gone, and is still there: its node does not do what it is told.
pub fn overdue(pod: &Pod) -> End {
    let message = format!(
        "worker of pool {}: its pod is past its grace, and its node does not say that it ended",
        pool(pod)
    );
    failed(FailureClass::NodeLost, message)
}

/// Whether the pod is on its way out.
pub fn being_deleted(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether the pod's worker is to be given tasks: not when the pod is on its way out, nor when its node is not ready.
pub fn is_capacity(pod: &Pod) -> bool {
    !being_deleted(pod) && !node_unready(pod)
}

/// Whether the pod's node is not ready. Nobody but Kubernetes' node controller says of a pod without readiness gates that it is not ready, and of its containers that
/// they are.
fn node_unready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
    let is = |kind, status| {
        let mut all = conditions.into_iter().flatten();
        all.any(|c| c.type_ == kind && c.status == status)
    };
    is("Ready", "False") && is("ContainersReady", "True")
}

/// Whether the pod's worker counts as ready.
pub fn ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|s| s.conditions.iter().flatten());
    !being_deleted(pod)
        && conditions
            .into_iter()
            .any(|c| c.type_ == "Ready" && c.status == "True")
}

/// Memory limit of the worker as written in the pod, or `none`.
pub fn memory_limit(pod: &Pod) -> String {
    let containers = pod.spec.iter().flat_map(|s| &s.containers);
    let limits = containers
        .filter(|c| c.name == CONTAINER)
        .filter_map(|c| c.resources.as_ref()?.limits.as_ref());
    limits
        .filter_map(|l| l.get("memory"))
        .map(|q| q.0.clone())
        .next()
        .unwrap_or_else(|| "none".into())
}

/// Name of the pool that the pod belongs to.
pub fn pool(pod: &Pod) -> String {
    pod.metadata
        .labels
        .iter()
        .flatten()
        .find(|(k, _)| *k == POOL_LABEL)
        .map_or_else(|| "unknown".into(), |(_, v)| v.clone())
}

fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses
        .iter()
        .find(|s| s.name == CONTAINER)?
        .state
        .as_ref()?
        .terminated
        .as_ref()
}

fn disruption(pod: &Pod) -> Option<&PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|c| c.type_ == "DisruptionTarget" && c.status == "True")
}

fn exited(terminated: &ContainerStateTerminated, pool: &str, deleting: bool) -> End {
    let code = terminated.exit_code;
    match code {
        0 => End {
            ending: Ending::Orderly,
            crash: None,
            message: format!("worker of pool {pool} left after draining"),
        },
        RECYCLE_EXIT_CODE => End {
            ending: Ending::Orderly,
            crash: None,
            message: format!("worker of pool {pool} asked to be replaced"),
        },
        _ if deleting => failed(
            FailureClass::Preempted,
            format!(
                "worker of pool {pool} stopped with exit code {code} while its pod was being deleted"
            ),
        ),
        KILLED => failed(
            FailureClass::NodeLost,
            format!("worker of pool {pool} was killed (exit code {KILLED})"),
        ),
        code => {
            let why = terminated
                .message
                .as_deref()
                .or(terminated.reason.as_deref())
                .unwrap_or_default();
            let end = failed(
                FailureClass::NodeLost,
                format!("worker of pool {pool} ended with exit code {code}: {why}"),
            );
            let crash = match code {
                NO_DEVICE_EXIT_CODE => Crash::Device,
                _ => Crash::Other,
            };
            End {
                crash: Some(crash),
                ..end
            }
        }
    }
}

fn out_of_memory(pod: &Pod, pool: &str) -> End {
    let limit = memory_limit(pod);
    failed(
        FailureClass::OutOfMemory,
        format!(
            "worker of pool {pool} was killed at its memory limit {limit} (OOMKilled): raise spec.resources.limits.memory of \
             workerpool {pool}, or lower its capacity or proverPermits"
        ),
    )
}

fn failed(class: FailureClass, message: String) -> End {
    End {
        ending: Ending::Failed(class),
        crash: None,
        message: message.trim_end_matches([' ', ':']).to_owned(),
    }
}

fn memory_pressure(message: &str) -> bool {
    message.contains("memory")
}

fn over_own_limit(message: &str) -> bool {
    message.contains("exceeds the total limit") || message.contains("emptyDir")
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
