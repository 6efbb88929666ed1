//! Asks the CUDA driver, which is loaded when it is asked: a machine without one gets an answer, too.
#![allow(unsafe_code)]

use cudarc::driver::{CudaContext, DriverError, result, sys};

use super::{Device, DeviceError};

/// The first device that the driver shows to this process: `CUDA_VISIBLE_DEVICES`, a device plugin or a MIG slice decide which
/// that is. SP1 proves on no other.
///
/// # Errors
/// There is none, or the driver fails.
pub fn find() -> Result<Device, DeviceError> {
    // SAFETY: looks for a library by name and closes it again; NVIDIA's has no constructors with effects.
    if !unsafe { sys::is_culib_present() } {
        return Err(DeviceError::NoDriver);
    }
    match result::init().and_then(|()| result::device::get_count()) {
        Ok(1..) => read().map_err(driver),
        Ok(_) => Err(DeviceError::NoDevice),
        Err(DriverError(sys::CUresult::CUDA_ERROR_NO_DEVICE)) => Err(DeviceError::NoDevice),
        Err(error) => Err(driver(error)),
    }
}

fn read() -> Result<Device, DriverError> {
    let context = CudaContext::new(0)?;
    let (major, minor) = context.compute_capability()?;
    let (free, total) = context.mem_get_info()?;
    let mut version = 0;
    // SAFETY: writes one int to a place that is ours.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    let version = number(version);
    Ok(Device {
        name: context.name()?,
        capability: (number(major), number(minor)),
        total_bytes: total as u64,
        free_bytes: free as u64,
        // 13010 is 13.1.
        driver: (version / 1000, version % 1000 / 10),
    })
}

fn number(value: i32) -> u32 {
    u32::try_from(value).unwrap_or_default()
}

fn driver(error: DriverError) -> DeviceError {
    DeviceError::Driver(error.to_string())
}
