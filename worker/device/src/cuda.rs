//! Asks the CUDA driver, which is loaded when it is asked: a machine without one gets an answer, too.
#![allow(unsafe_code)]

use std::sync::{Arc, OnceLock};

use cudarc::driver::{CudaContext, DriverError, result, sys};

use super::{Device, DeviceError, driver};

/// The device's primary context, in which SP1 works as well. It is kept as long as the process lives: given back, it would stay the current
/// one of the thread that asked, and SP1's first call there would meet one that is gone.
static CONTEXT: OnceLock<Arc<CudaContext>> = OnceLock::new();

/// The first device that the driver shows to this process: `CUDA_VISIBLE_DEVICES`, a device plugin or a MIG slice decide which
/// that is. SP1 proves on no other.
///
/// # Errors
/// There is none, or the driver fails. An error of an earlier call on the device stays, and is met here.
pub fn find() -> Result<Device, DeviceError> {
    // SAFETY: looks for a library by name and closes it again; NVIDIA's has no constructors with effects.
    if !unsafe { sys::is_culib_present() } {
        return Err(DeviceError::NoDriver);
    }
    match result::init().and_then(|()| result::device::get_count()) {
        Ok(visible @ 1..) => read(number(visible)).map_err(failing),
        Ok(_) => Err(DeviceError::NoDevice),
        Err(DriverError(sys::CUresult::CUDA_ERROR_NO_DEVICE)) => Err(DeviceError::NoDevice),
        Err(error) => Err(failing(error)),
    }
}

/// Memory of the device that is free now, in bytes. `None` if [`find`] has not found one, or it fails.
pub fn free_bytes() -> Option<u64> {
    let (free, _) = CONTEXT.get()?.mem_get_info().ok()?;
    Some(free as u64)
}

const MEMORY_POOLS: sys::CUdevice_attribute =
    sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED;

fn context() -> Result<&'static CudaContext, DriverError> {
    if let Some(context) = CONTEXT.get() {
        return Ok(context);
    }
    let context = CudaContext::new(0)?;
    Ok(CONTEXT.get_or_init(|| context))
}

fn read(visible: u32) -> Result<Device, DriverError> {
    let context = context()?;
    let (major, minor) = context.compute_capability()?;
    let (free, total) = context.mem_get_info()?;
    let mut version = 0;
    // SAFETY: writes one int to a place that is ours.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    let version = number(version);
    Ok(Device {
        name: context.name()?,
        uuid: uuid(context.uuid()?.bytes.map(|byte| byte as u8)),
        capability: (number(major), number(minor)),
        total_bytes: total as u64,
        free_bytes: free as u64,
        // 13010 is 13.1.
        driver: (version / 1000, version % 1000 / 10),
        driver_version: driver::version(),
        visible,
        memory_pools: context.attribute(MEMORY_POOLS)? != 0,
    })
}

/// The usual form: 8, 4, 4, 4 and 12 hex digits.
fn uuid(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

fn number(value: i32) -> u32 {
    u32::try_from(value).unwrap_or_default()
}

fn failing(error: DriverError) -> DeviceError {
    DeviceError::Driver(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uuid_has_the_form_that_nvidia_smi_takes() {
        let bytes = std::array::from_fn(|i| i as u8 * 17);
        assert_eq!(uuid(bytes), "00112233-4455-6677-8899-aabbccddeeff");
    }

    #[test]
    fn without_a_device_no_memory_is_free() {
        if find().is_err() {
            assert_eq!(free_bytes(), None);
        }
    }
}
