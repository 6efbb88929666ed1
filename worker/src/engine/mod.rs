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
mod look;
mod parts;
mod prove;
mod threads;

use std::time::Instant;

use sp1_core_executor::SP1CoreOpts;

use crate::memory::MemoryPlan;

pub use device::{Components, build, check};
pub use execute::{ExecuteEngine, Executed, execute};
pub use executions::Executions;
pub use look::{Found, device_free_bytes, find_device, in_time, look};
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
