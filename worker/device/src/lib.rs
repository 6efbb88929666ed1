//! The GPU that a process proves on: what it is, and whether it will do. Links nothing of NVIDIA's: a machine without a driver gets
//! an answer, too.

mod archs;
mod cuda;
mod driver;
mod leave;
#[cfg(feature = "load")]
mod load;

pub use archs::Archs;
pub use cuda::{find, free_bytes};
pub use leave::leave;
#[cfg(feature = "load")]
pub use load::{loaded, unguard};

use std::time::Duration;

/// How long ago the program was loaded, which takes no time without SP1's kernels.
#[cfg(not(feature = "load"))]
pub const fn loaded() -> Duration {
    Duration::ZERO
}

/// Nothing happens while a program is loaded without SP1's kernels.
#[cfg(not(feature = "load"))]
pub const fn unguard() {}

/// The exit code of a worker that has nothing to prove on: no GPU for a build for GPUs, one that is lost, or one that computes wrongly
/// (`EX_UNAVAILABLE` of sysexits.h).
pub const NO_DEVICE: u8 = 69;

const GIB: u64 = 1 << 30;

/// Least memory of a device, in bytes. SP1's GPU prover panics where it counts fewer than 20 GiB, and it rounds up: what is refused here for a
/// fraction of a GiB would start there.
pub const LEAST_MEMORY: u64 = 20 * GIB;

/// Free memory, in bytes, that SP1's full shards want: it makes smaller ones for devices that have no more than this.
pub const FULL_MEMORY: u64 = 26 * GIB;

/// Least compute capability: the first for which SP1's kernels are built (Ampere).
pub const LEAST_CAPABILITY: (u32, u32) = (8, 0);

/// Least CUDA version that the driver must run: that of the toolkit in `hack/lib/cuda.sh`, whose runtime refuses an older one.
pub const LEAST_DRIVER: (u32, u32) = (13, 0);

/// A CUDA device, as its driver describes it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Device {
    /// Its name, for example `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// Its UUID, without the `GPU-` or `MIG-` that NVIDIA's tools put before it.
    pub uuid: String,
    /// Compute capability, major and minor.
    pub capability: (u32, u32),
    /// Its memory in bytes.
    pub total_bytes: u64,
    /// What of that was free when this process looked.
    pub free_bytes: u64,
    /// The newest CUDA version that the driver runs, major and minor.
    pub driver: (u32, u32),
    /// The driver's own version, such as `580.95.05`, where the kernel tells it.
    pub driver_version: Option<String>,
    /// How many devices the driver shows to this process; this is the first.
    pub visible: u32,
    /// Whether memory can be taken from it in the order of a stream (`cudaMallocAsync`).
    pub memory_pools: bool,
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
    /// The driver does not answer.
    #[error("the CUDA driver does not answer within {} s: see the kernel's log on the node for NVRM and Xid", .0.as_secs_f32())]
    Hangs(Duration),
    /// More devices than one.
    #[error(
        "the driver shows {visible} GPUs to this process, and SP1 would keep memory on each and prove on the first: set CUDA_VISIBLE_DEVICES to one \
         of them; in a cluster, ask for one in spec.resources.limits of the WorkerPool (nvidia.com/gpu: 1)"
    )]
    Several {
        /// How many.
        visible: u32,
    },
    /// The driver answers with an error.
    #[error("the CUDA driver fails: {0}")]
    Driver(String),
    /// A driver older than the CUDA runtime of this build.
    #[error(
        "the NVIDIA driver {version} runs CUDA {}.{} and earlier; this build needs {}.{}: update the driver of the node (580 or later)",
        cuda.0, cuda.1, LEAST_DRIVER.0, LEAST_DRIVER.1
    )]
    DriverTooOld {
        /// The driver's own version, where the kernel tells it.
        version: String,
        /// The newest CUDA version that it runs.
        cuda: (u32, u32),
    },
    /// Too little memory.
    #[error("{name} has {gib} GiB of memory; SP1 proves on at least {} GiB", LEAST_MEMORY / GIB)]
    TooSmall {
        /// The device.
        name: String,
        /// Its memory in GiB, rounded down.
        gib: u64,
    },
    /// Others have it.
    #[error(
        "{name} has {free} of its {gib} GiB of memory free, and SP1 needs at least {least}: another process works on it (`nvidia-smi` on the node shows which). \
         A worker wants a GPU of its own, without time-slicing or MPS"
    )]
    Busy {
        /// The device.
        name: String,
        /// Its memory in GiB, rounded down.
        gib: u64,
        /// What of that is free.
        free: u64,
        /// What should be.
        least: u64,
    },
    /// No memory pools.
    #[error(
        "{name} has no memory pools (cudaMallocAsync), without which SP1 does not prove: a virtual GPU may lack them; pass a whole GPU or a MIG slice to the node"
    )]
    NoMemoryPools {
        /// The device.
        name: String,
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
    /// This build was not made for it.
    #[error(
        "{name} has compute capability {}.{}; this build holds code for {archs}. Make the image with `hack/images --gpu --archs {}{}` \
         and what else the pools have",
        capability.0, capability.1, capability.0, capability.1
    )]
    NoCode {
        /// The device.
        name: String,
        /// Its compute capability.
        capability: (u32, u32),
        /// What the build was made for.
        archs: Archs,
    },
}

impl DeviceError {
    /// Stable name of the error.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoDriver => "NoDriver",
            Self::NoDevice => "NoDevice",
            Self::Several { .. } => "SeveralDevices",
            Self::Hangs(_) => "DriverHangs",
            Self::Driver(_) => "DriverError",
            Self::DriverTooOld { .. } => "DriverTooOld",
            Self::TooSmall { .. } => "DeviceTooSmall",
            Self::Busy { .. } => "DeviceBusy",
            Self::NoMemoryPools { .. } => "NoMemoryPools",
            Self::TooOld { .. } => "DeviceTooOld",
            Self::NoCode { .. } => "NoCodeForDevice",
        }
    }
}

impl Device {
    /// Whether SP1 can prove on it with code for `archs`; `None` where a build does not know what it was made for.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, archs: Option<&Archs>) -> Result<(), DeviceError> {
        let name = || self.name.clone();
        if self.driver < LEAST_DRIVER {
            let version = self.driver_version.clone();
            return Err(DeviceError::DriverTooOld {
                version: version.unwrap_or_default(),
                cuda: self.driver,
            });
        }
        if self.visible > 1 {
            let visible = self.visible;
            return Err(DeviceError::Several { visible });
        }
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
        if !self.memory_pools {
            return Err(DeviceError::NoMemoryPools { name: name() });
        }
        match archs.filter(|archs| !archs.run_on(self.capability)) {
            Some(archs) => Err(DeviceError::NoCode {
                name: name(),
                capability: self.capability,
                archs: archs.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Whether a process that has taken nothing of it yet finds `least` bytes.
    ///
    /// # Errors
    /// Others have too much of it.
    pub fn check_free(&self, least: u64) -> Result<(), DeviceError> {
        if self.free_bytes >= least || !self.is_shared() {
            return Ok(());
        }
        Err(DeviceError::Busy {
            name: self.name.clone(),
            gib: self.total_bytes / GIB,
            free: self.free_bytes / GIB,
            least: least / GIB,
        })
    }

    /// Whether another process has memory of it, more than the driver takes for itself: SP1 counts on all of it.
    pub const fn is_shared(&self) -> bool {
        self.total_bytes.saturating_sub(self.free_bytes) > 2 * GIB
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn device(capability: (u32, u32), gib: u64) -> Device {
        Device {
            name: "NVIDIA Test".to_owned(),
            uuid: String::new(),
            capability,
            total_bytes: gib * GIB,
            free_bytes: gib * GIB,
            driver: (13, 0),
            driver_version: None,
            visible: 1,
            memory_pools: true,
        }
    }

    #[test]
    fn a_device_of_ones_own_is_all_but_empty() {
        let mut device = device((9, 0), 80);
        assert!(!device.is_shared());
        device.free_bytes -= GIB;
        assert!(!device.is_shared());
        device.free_bytes -= 20 * GIB;
        assert!(device.is_shared());
    }

    #[test]
    fn a_device_that_others_have_most_of_is_refused_with_what_is_left() {
        let mut device = device((9, 0), 80);
        device.free_bytes = 20 * GIB;
        assert_eq!(device.check_free(LEAST_MEMORY), Ok(()));
        assert!(device.check_free(FULL_MEMORY).is_err());
        device.free_bytes -= 1;
        let error = device.check_free(LEAST_MEMORY).unwrap_err();
        assert_eq!(error.reason(), "DeviceBusy");
        let text = error.to_string();
        assert!(
            text.starts_with(
                "NVIDIA Test has 19 of its 80 GiB of memory free, and SP1 needs at least 20"
            ),
            "{text}"
        );
        // What the driver takes for itself.
        let slice = Device {
            total_bytes: 21 * GIB,
            free_bytes: 21 * GIB - (3 << 29),
            ..device
        };
        assert_eq!(slice.check_free(FULL_MEMORY), Ok(()));
    }

    #[test]
    fn a_virtual_device_without_memory_pools_is_refused() {
        let device = Device {
            memory_pools: false,
            ..device((9, 0), 80)
        };
        assert_eq!(device.check(None).unwrap_err().reason(), "NoMemoryPools");
    }

    #[test]
    fn an_ampere_card_of_24_gib_will_do() {
        assert_eq!(device((8, 6), 24).check(None), Ok(()));
        assert_eq!(device((8, 0), 20).check(None), Ok(()));
        assert_eq!(device((12, 0), 32).check(None), Ok(()));
    }

    #[test]
    fn a_device_that_the_build_has_no_code_for_is_named_with_what_it_has() {
        let archs = Archs::parse("86,89,90").unwrap();
        assert_eq!(device((8, 9), 24).check(Some(&archs)), Ok(()));
        let error = device((8, 0), 40).check(Some(&archs)).unwrap_err();
        assert_eq!(error.reason(), "NoCodeForDevice");
        assert_eq!(
            error.to_string(),
            "NVIDIA Test has compute capability 8.0; this build holds code for 8.6, 8.9, 9.0. Make the image with \
             `hack/images --gpu --archs 80` and what else the pools have"
        );
    }

    #[test]
    fn what_is_too_old_or_too_small_is_named_with_what_it_takes() {
        let old = device((7, 5), 48).check(None).unwrap_err();
        assert_eq!(old.reason(), "DeviceTooOld");
        assert_eq!(
            old.to_string(),
            "NVIDIA Test has compute capability 7.5; SP1 proves on 8.0 and later"
        );
        let small = device((8, 6), 16).check(None).unwrap_err();
        assert_eq!(small.reason(), "DeviceTooSmall");
        assert_eq!(
            small.to_string(),
            "NVIDIA Test has 16 GiB of memory; SP1 proves on at least 20 GiB"
        );
    }

    #[test]
    fn a_driver_that_is_too_old_is_named_with_what_it_takes() {
        let old = Device {
            driver: (12, 9),
            driver_version: Some("575.57.08".to_owned()),
            ..device((9, 0), 80)
        };
        let error = old.check(None).unwrap_err();
        assert_eq!(error.reason(), "DriverTooOld");
        assert_eq!(
            error.to_string(),
            "the NVIDIA driver 575.57.08 runs CUDA 12.9 and earlier; this build needs 13.0: update the driver of the node (580 or later)"
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
