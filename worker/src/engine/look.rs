//! Looks at what this process proves on. A driver that hangs keeps a thread, and nobody who asks.

use std::time::{Duration, Instant};

use provost_coordinator::ShardSize;
use provost_device::{Archs, Device, DeviceError, FULL_MEMORY, LEAST_MEMORY};
use tokio::sync::Mutex;

use super::device;

/// How long a device may take to answer a worker that starts. CUDA's own start takes seconds; on a machine with many GPUs that nothing keeps
/// awake (`nvidia-persistenced`), tens of them.
const START: Duration = Duration::from_secs(60);

/// How long a process that has just ended may take to give back what it had of the device: the one before this, most often.
const LEAVING: Duration = Duration::from_secs(20);

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
    let began = Instant::now();
    let found = loop {
        match in_time(START, look_once).await {
            Err(DeviceError::Busy { .. }) if began.elapsed() < LEAVING => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            found => break found?,
        }
    };
    if let Some(device) = found.device.as_ref().filter(|device| device.is_shared()) {
        tracing::warn!(
            ?device,
            "another process has memory of this GPU: SP1 may find too little"
        );
    }
    Ok(found)
}

fn look_once() -> Result<Found, DeviceError> {
    let device = find_device()?;
    if let Some(device) = &device {
        device.check_free(LEAST_MEMORY)?;
    }
    // SP1 asks the device for these, and goes by all of its memory, free or not.
    let (pinned_bytes, shard_elements) = (device::pinned_bytes(), device::shard_elements());
    if let Some(device) = &device
        && let ShardSize::Full = ShardSize::within(shard_elements)
    {
        device.check_free(FULL_MEMORY)?;
    }
    Ok(Found {
        device,
        pinned_bytes,
        shard_elements,
    })
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
    static LOOKING: Mutex<()> = Mutex::const_new(());
    if !cfg!(feature = "gpu") {
        return None;
    }
    let look = async {
        let looking = LOOKING.lock().await;
        let look = tokio::task::spawn_blocking(move || {
            let _looking = looking;
            provost_device::free_bytes()
        });
        look.await.ok()?
    };
    tokio::time::timeout(GLANCE, look).await.ok()?
}
