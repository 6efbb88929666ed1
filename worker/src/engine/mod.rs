//! SP1's two engines: the light one that executes, and the full one that proves.

#[cfg_attr(feature = "gpu", path = "gpu.rs")]
#[cfg_attr(not(feature = "gpu"), path = "cpu.rs")]
mod device;
// The CPU's is linted beside the other: clippy reads SP1 once then, and not for each.
#[cfg(all(clippy, feature = "gpu"))]
#[allow(dead_code, unreachable_pub)]
mod cpu;
mod execute;
mod executions;
pub mod known_answer;
mod parts;
mod prove;
mod threads;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use provost_device::{Archs, Device, DeviceError};
use sp1_core_executor::SP1CoreOpts;

use crate::memory::MemoryPlan;

pub use device::{Components, build, check, pinned_bytes, shard_elements};
pub use execute::{ExecuteEngine, Executed, execute};
pub use executions::Executions;
pub use parts::Parts;
pub use prove::{ProveEngine, Prover};

/// How the proving engine is built.
#[derive(Debug, Clone)]
pub struct Build {
    /// SP1's options.
    pub opts: SP1CoreOpts,
    /// Provers at once.
    pub permits: usize,
    /// Whether the device first shows that it computes rightly.
    pub known_answer: bool,
}

/// How long the steps of building an engine took, in seconds.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Steps {
    /// The known answer; 0 where it is not asked for.
    #[serde(rename = "known_answer_seconds")]
    pub known_answer: f64,
    /// The provers: on a GPU their buffers there and here.
    #[serde(rename = "provers_seconds")]
    pub provers: f64,
    /// SP1's engine around them.
    #[serde(rename = "engine_seconds")]
    pub engine: f64,
}

impl Steps {
    /// All of them.
    pub fn total(&self) -> f64 {
        self.known_answer + self.provers + self.engine
    }
}

/// Writes down how long a step takes.
async fn timed<T>(seconds: &mut f64, step: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let result = step.await;
    *seconds = began.elapsed().as_secs_f64();
    result
}

/// SP1's core options from its environment variables, with the memory limit of the plan where none is set.
pub fn core_opts(plan: &MemoryPlan) -> SP1CoreOpts {
    let mut opts = SP1CoreOpts::default();
    if std::env::var_os("MEMORY_LIMIT").is_none() {
        opts.memory_limit = plan.executor_memory_bytes;
    }
    opts
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

/// How long a device may take to say how much of its memory is free.
const GLANCE: Duration = Duration::from_secs(2);

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
