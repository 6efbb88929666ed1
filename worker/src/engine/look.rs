//! Looks at what this process proves on. A driver that hangs keeps a thread, and nobody who asks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use provost_device::{Archs, Device, DeviceError};

use super::device;

/// How long a device may take to answer a worker that starts. CUDA's own start takes seconds; on a machine with many GPUs that nothing keeps
/// awake (`nvidia-persistenced`), tens of them.
const START: Duration = Duration::from_secs(120);

/// How long a device may take to say how much of its memory is free.
const GLANCE: Duration = Duration::from_secs(2);

/// What there is to prove on.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The device; `None` for the CPU.
    pub device: Option<Device>,
    /// Page-locked memory, in bytes, that the provers take.
    pub pinned_bytes: u64,
    /// The largest shards that they have room for, in trace elements.
    pub shard_elements: u64,
}

/// Looks before anything is built.
///
/// # Errors
/// What [`find_device`] says; others have most of the device's memory; or it does not answer in time.
pub async fn look() -> Result<Found, DeviceError> {
    let found = in_time(START, || {
        let device = find_device()?;
        if let Some(device) = &device {
            device.check_free()?;
        }
        Ok(Found {
            device,
            // SP1 asks the device for these.
            pinned_bytes: device::pinned_bytes(),
            shard_elements: device::shard_elements(),
        })
    })
    .await?;
    if let Some(device) = &found.device {
        warn(device);
    }
    Ok(found)
}

/// What works, but not as it should.
fn warn(device: &Device) {
    if device.is_shared() {
        tracing::warn!(
            ?device,
            "another process has memory of this GPU: SP1 may find too little"
        );
    }
    if device.visible > 1 {
        tracing::warn!(
            gpu = device.uuid,
            visible = device.visible,
            "SP1 proves on the first of these GPUs, and keeps a context on each of the others: set CUDA_VISIBLE_DEVICES"
        );
    }
}

/// The device that this build proves on: `None` for one that proves on the CPU.
///
/// # Errors
/// There is none, or SP1 cannot prove on it.
pub fn find_device() -> Result<Option<Device>, DeviceError> {
    if !cfg!(feature = "gpu") {
        return Ok(None);
    }
    let device = provost_device::find()?;
    device.check(device::ARCHS.and_then(Archs::parse).as_ref())?;
    Ok(Some(device))
}

/// What `look` finds, if it does so within `patience`.
///
/// # Errors
/// What `look` says; or it panicked, as SP1 does over an error of the driver, or it is not back yet.
pub async fn in_time<T: Send + 'static>(
    patience: Duration,
    look: impl FnOnce() -> Result<T, DeviceError> + Send + 'static,
) -> Result<T, DeviceError> {
    match tokio::time::timeout(patience, tokio::task::spawn_blocking(look)).await {
        Ok(Ok(found)) => found,
        Ok(Err(panic)) => Err(DeviceError::Driver(panic.to_string())),
        Err(_) => Err(DeviceError::Hangs(patience)),
    }
}

/// Memory of the device that is free now, in bytes. `None` without one, and where it does not answer at once.
pub async fn device_free_bytes() -> Option<u64> {
    // One that hangs keeps one thread, not one of each who asks.
    static LOOKING: AtomicBool = AtomicBool::new(false);
    if !cfg!(feature = "gpu") || LOOKING.swap(true, Ordering::AcqRel) {
        return None;
    }
    let look = tokio::task::spawn_blocking(|| {
        let free = provost_device::free_bytes();
        LOOKING.store(false, Ordering::Release);
        free
    });
    tokio::time::timeout(GLANCE, look).await.ok()?.ok()?
}
