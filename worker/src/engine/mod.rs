//! SP1's two engines: the light one that executes, and the full one that proves.

mod execute;
mod prove;

use sp1_core_executor::SP1CoreOpts;

use crate::memory::MemoryPlan;

pub use execute::{ExecuteEngine, Executed, execute};
pub use prove::{ProveEngine, Prover, prover_builder};

/// SP1's core options from its environment variables, with the memory limit of the plan where none is set.
pub fn core_opts(plan: &MemoryPlan) -> SP1CoreOpts {
    let mut opts = SP1CoreOpts::default();
    if std::env::var_os("MEMORY_LIMIT").is_none() {
        opts.memory_limit = plan.executor_memory_bytes;
    }
    opts
}
