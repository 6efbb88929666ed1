//! The GPU that a process proves on: what it is, and whether it will do. Links nothing of NVIDIA's: a machine without a driver gets
//! an answer, too.

mod cuda;

pub use cuda::find;

const GIB: u64 = 1 << 30;

/// Least memory of a device, in bytes: SP1's GPU prover refuses to start on less.
pub const LEAST_MEMORY: u64 = 20 * GIB;

/// Least compute capability: the first for which SP1's kernels are built (Ampere).
pub const LEAST_CAPABILITY: (u32, u32) = (8, 0);

/// A CUDA device, as its driver describes it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Device {
    /// Its name, for example `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// Compute capability, major and minor.
    pub capability: (u32, u32),
    /// Its memory in bytes.
    pub total_bytes: u64,
    /// What of that was free when this process looked.
    pub free_bytes: u64,
    /// The newest CUDA version that the driver runs, major and minor.
    pub driver: (u32, u32),
}

/// Why there is no device to prove on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No driver.
    #[error(
        "no CUDA device: this machine has no NVIDIA driver (libcuda.so.1). In a cluster, ask for a GPU in \
         spec.resources.limits of the WorkerPool (nvidia.com/gpu: 1), or use a pool of class CPU"
    )]
    NoDriver,
    /// A driver, and nothing that it shows to this process.
    #[error(
        "no CUDA device: the driver shows none to this process. See CUDA_VISIBLE_DEVICES and NVIDIA_VISIBLE_DEVICES, and \
         nvidia.com/gpu in spec.resources.limits of the WorkerPool"
    )]
    NoDevice,
    /// The driver answers with an error.
    #[error("the CUDA driver fails: {0}")]
    Driver(String),
    /// Too little memory.
    #[error("{name} has {gib} GiB of memory; SP1 proves on at least {} GiB", LEAST_MEMORY / GIB)]
    TooSmall {
        /// The device.
        name: String,
        /// Its memory in GiB, rounded down.
        gib: u64,
    },
    /// Too old.
    #[error(
        "{name} has compute capability {}.{}; SP1 proves on {}.{} and later",
        capability.0, capability.1, LEAST_CAPABILITY.0, LEAST_CAPABILITY.1
    )]
    TooOld {
        /// The device.
        name: String,
        /// Its compute capability.
        capability: (u32, u32),
    },
}

impl DeviceError {
    /// Stable name of the error.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoDriver => "NoDriver",
            Self::NoDevice => "NoDevice",
            Self::Driver(_) => "DriverError",
            Self::TooSmall { .. } => "DeviceTooSmall",
            Self::TooOld { .. } => "DeviceTooOld",
        }
    }
}

impl Device {
    /// Whether SP1 can prove on it.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), DeviceError> {
        let name = || self.name.clone();
        if self.capability < LEAST_CAPABILITY {
            let capability = self.capability;
            return Err(DeviceError::TooOld {
                name: name(),
                capability,
            });
        }
        if self.total_bytes < LEAST_MEMORY {
            let gib = self.total_bytes / GIB;
            return Err(DeviceError::TooSmall { name: name(), gib });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn device(capability: (u32, u32), gib: u64) -> Device {
        Device {
            name: "NVIDIA Test".to_owned(),
            capability,
            total_bytes: gib * GIB,
            free_bytes: gib * GIB,
            driver: (13, 0),
        }
    }

    #[test]
    fn an_ampere_card_of_24_gib_will_do() {
        assert_eq!(device((8, 6), 24).check(), Ok(()));
        assert_eq!(device((8, 0), 20).check(), Ok(()));
        assert_eq!(device((12, 0), 32).check(), Ok(()));
    }

    #[test]
    fn what_is_too_old_or_too_small_is_named_with_what_it_takes() {
        let old = device((7, 5), 48).check().unwrap_err();
        assert_eq!(old.reason(), "DeviceTooOld");
        assert_eq!(
            old.to_string(),
            "NVIDIA Test has compute capability 7.5; SP1 proves on 8.0 and later"
        );
        let small = device((8, 6), 16).check().unwrap_err();
        assert_eq!(small.reason(), "DeviceTooSmall");
        assert_eq!(
            small.to_string(),
            "NVIDIA Test has 16 GiB of memory; SP1 proves on at least 20 GiB"
        );
    }

    #[test]
    fn a_machine_says_what_it_has() {
        match find() {
            Ok(device) => assert!(
                !device.name.is_empty() && device.total_bytes > 0,
                "{device:?}"
            ),
            Err(error) => assert!(error.to_string().contains("CUDA"), "{error}"),
        }
    }
}
