//! Label sets of the metrics. All values are from small closed sets: reasons, types, roles and pool names.

use prometheus_client::encoding::EncodeLabelSet;

/// Controller and result of a reconcile.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReconcileLabels {
    /// Which controller.
    pub controller: &'static str,
    /// `ok` or the reason of the error.
    pub result: &'static str,
}

/// A controller.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ControllerLabels {
    /// Which controller.
    pub controller: &'static str,
}

/// A reason: CamelCase, stable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabels {
    /// The reason.
    pub reason: String,
}

/// Kind of object and result of a write.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WriteLabels {
    /// Kind of object.
    pub kind: &'static str,
    /// `ok`, `skipped`, `conflict`, `gone`, `refused` or `error`.
    pub result: &'static str,
}

/// Kind of object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    /// The kind, for example ProofRequest.
    pub kind: String,
}

/// Type and state of a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TaskLabels {
    /// Type, for example ProveShard.
    pub task_type: String,
    /// Pending, Running, Succeeded or Failed.
    pub state: &'static str,
}

/// Type of a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TaskTypeLabels {
    /// Type, for example ProveShard.
    pub(super) task_type: &'static str,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TaskFailureLabels {
    /// The failure class.
    pub(super) class: &'static str,
    /// Type of the task.
    pub(super) task_type: &'static str,
}

/// A kind of thing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WhatLabels {
    /// Which.
    pub(super) what: &'static str,
}

/// Answer of the API server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CodeLabels {
    /// HTTP status.
    pub code: u32,
}

/// Role of a connected worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RoleLabels {
    /// `execute` or `prove`.
    pub role: &'static str,
}

/// A kind of GPU that workers prove on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeviceLabels {
    /// Its name, as the driver has it.
    pub device: String,
    /// Compute capability.
    pub capability: String,
    /// The newest CUDA version of the driver.
    pub driver: String,
    /// The driver's own version.
    pub driver_version: String,
    /// Its memory in GiB, rounded down.
    pub memory_gib: u64,
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PoolLabels {
    /// Name of the pool.
    pub pool: String,
}
