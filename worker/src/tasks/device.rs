//! Whether a task failed because of its device.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use provost_device::{Device, DeviceError};
use provost_link::Outcome;

use crate::failure::FailureClass;

/// How long a device may take to answer.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A task that failed on a device that is lost, or does not answer, is not to blame: its worker counts as lost, and is to be replaced. An error of a CUDA context stays, so
/// that every later call meets it.
pub async fn judge(
    outcome: Outcome,
    find: impl FnOnce() -> Result<Option<Device>, DeviceError> + Send + 'static,
    patience: Duration,
    poisoned: &AtomicBool,
) -> Outcome {
    let Outcome::Failed { message, .. } = &outcome else {
        return outcome;
    };
    let found = tokio::time::timeout(patience, tokio::task::spawn_blocking(find)).await;
    let why = match found {
        Ok(Ok(Ok(_))) => return outcome,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(panic)) => panic.to_string(),
        Err(_) => format!("it does not answer within {patience:?}"),
    };
    poisoned.store(true, Ordering::Release);
    Outcome::Failed {
        class: FailureClass::NodeLost.to_string(),
        retryable: true,
        message: format!("the GPU is lost: {why}; the task said: {message}"),
    }
}
