//! Whether a task failed because of its device, and whether the device is still there.

use std::time::Duration;

use provost_device::{Device, DeviceError};
use provost_link::Outcome;

use crate::engine::in_time;
use crate::failure::FailureClass;
use crate::health::{Doubt, Health};

/// How long a device may take to answer at the end of the process.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How often a device is looked at while tasks run.
pub const EVERY: Duration = Duration::from_secs(30);

/// How long a device may take to answer while tasks run, or when one has failed: a driver that is busy with a large allocation answers late.
pub const HUNG: Duration = Duration::from_secs(60);

/// Sorts the end of a task by the state of its process. A task that failed on a device that is lost, or in a process that was in doubt `before` it failed, is not to
/// blame: its worker counts as lost. An error of a CUDA context stays, so that every later call meets it.
pub async fn judge(
    outcome: Outcome,
    before: Option<Doubt>,
    find: impl FnOnce() -> Result<Option<Device>, DeviceError> + Send + 'static,
    patience: Duration,
    health: &Health,
) -> Outcome {
    let Outcome::Failed { class, message, .. } = &outcome else {
        return outcome;
    };
    if let Some(why) = lost(find, patience).await {
        health.doubt(Doubt::Device(why.clone()));
        return handed_back(&why, message);
    }
    let own = [FailureClass::ProgramFault, FailureClass::StoreUnavailable];
    match before {
        Some(doubt) if !own.iter().any(|own| own.to_string() == *class) => {
            let why = doubt.why();
            let message = format!("the worker is to be replaced ({why}); the task said: {message}");
            lost_with_worker(message)
        }
        _ => outcome,
    }
}

/// How a task ends whose device is lost.
pub fn handed_back(why: &str, message: &str) -> Outcome {
    lost_with_worker(format!("the GPU is lost: {why}; the task said: {message}"))
}

fn lost_with_worker(message: String) -> Outcome {
    Outcome::Failed {
        class: FailureClass::NodeLost.to_string(),
        retryable: true,
        message,
    }
}

/// Why the device is lost, if it is: it fails, or does not answer for so long.
pub async fn lost(
    find: impl FnOnce() -> Result<Option<Device>, DeviceError> + Send + 'static,
    patience: Duration,
) -> Option<String> {
    let found = in_time(patience, find).await;
    found.err().map(|error| error.to_string())
}

/// Looks at the device `every` so often while there are tasks, and returns when it is lost. A task on a driver that hangs would never end, and never be judged. A kernel
/// that never ends is not seen here: the coordinator's limit on a task's time is for that.
pub async fn watch(
    find: impl Fn() -> Result<Option<Device>, DeviceError> + Clone + Send + 'static,
    busy: impl Fn() -> bool,
    every: Duration,
    patience: Duration,
    health: &Health,
) {
    loop {
        tokio::time::sleep(every).await;
        if !busy() {
            continue;
        }
        if let Some(why) = lost(find.clone(), patience).await {
            health.doubt(Doubt::Device(why));
            return;
        }
    }
}
