//! How much memory this process may use, and how the roles share it. Pure, but for [`cgroup_limit`].

use std::path::Path;

/// Bytes in a GiB.
pub const GIB: u64 = 1 << 30;

/// What the proving engine holds at rest, in GiB, measured with SP1 6.10 on a CPU.
pub const ENGINE_AT_REST_GIB: u64 = 7;

/// What the process holds at rest without the engine, in GiB.
pub const LIGHT_AT_REST_GIB: u64 = 1;

/// What the tasks of one proof weigh that a worker of class All is to have room for, in GiB. The operator says so, by its weights (`--task-weight`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Units {
    /// Weight of one Controller and one CoreExecute, which run side by side for a proof.
    #[arg(long = "execute-unit", env = "PROVOST_EXECUTE_UNIT", default_value_t = Self::default().execute, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub execute: u32,
    /// Weight of the heaviest proving task.
    #[arg(long = "prove-unit", env = "PROVOST_PROVE_UNIT", default_value_t = Self::default().prove, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub prove: u32,
}

impl Default for Units {
    fn default() -> Self {
        Self {
            execute: 9,
            prove: 4,
        }
    }
}

/// Which roles a worker of a pool plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Class {
    /// Executes programs only; needs no prover.
    #[value(name = "CPU")]
    Cpu,
    /// Proves only.
    #[value(name = "GPU")]
    Gpu,
    /// Executes at once, and proves as soon as the engine is built.
    All,
}

impl Class {
    /// Whether this class runs Controller, CoreExecute and ExecuteOnly.
    pub fn executes(self) -> bool {
        self != Self::Gpu
    }

    /// Whether this class runs set-ups, shards and recursion.
    pub fn proves(self) -> bool {
        self != Self::Cpu
    }
}

/// How a worker spends its memory.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MemoryPlan {
    /// The limit that the plan is for, in bytes.
    pub limit_bytes: u64,
    /// Task weight (GiB) that the execute role offers; 0 when it has none.
    pub execute_weight: u32,
    /// Task weight (GiB) that the prove role offers; 0 when it has none.
    pub prove_weight: u32,
    /// Provers that may run at once inside the engine. On a GPU one proves while the others prepare: SP1 takes device memory for the one alone, and
    /// has four host buffers for the others.
    pub prover_permits: usize,
    /// Resident memory, in bytes, at which SP1 kills a program that it executes (`MEMORY_LIMIT`). The programs of as many proofs as the weight admits fit side by
    /// side.
    pub executor_memory_bytes: u64,
}

/// Why a worker cannot run with the memory that it has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// The limit leaves nothing for tasks.
    #[error(
        "a worker of class {class:?} needs at least {needed_gib} GiB of memory, its limit is {limit_gib} GiB: \
         raise spec.resources.limits.memory of its WorkerPool, or set spec.capacity"
    )]
    TooSmall {
        /// The class asked for.
        class: Class,
        /// What it needs at least, in GiB.
        needed_gib: u64,
        /// What it has, in GiB, rounded down.
        limit_gib: u64,
    },
    /// The capacity that was asked for is less than one task's weight.
    #[error(
        "spec.capacity of the WorkerPool is {capacity}: a worker of class {class:?} needs at least {smallest} for its tasks; raise it, or leave it out"
    )]
    Capacity {
        /// The class asked for.
        class: Class,
        /// What was asked for.
        capacity: u32,
        /// What it needs at least.
        smallest: u32,
    },
}

/// What a plan is for.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// The roles to play.
    pub class: Class,
    /// What the process may use, in bytes.
    pub limit_bytes: u64,
    /// Page-locked memory, in bytes, through which the engine feeds a GPU; 0 for a CPU.
    pub pinned_bytes: u64,
    /// What tasks weigh.
    pub units: Units,
}

/// Shares the memory among the roles. `capacity` replaces the task weight that follows from the limit;
/// `permits` replaces the number of provers.
///
/// # Errors
/// The limit leaves nothing for tasks.
pub fn plan(
    machine: Machine,
    capacity: Option<u32>,
    permits: Option<usize>,
) -> Result<MemoryPlan, MemoryError> {
    let Machine {
        class,
        limit_bytes,
        units,
        ..
    } = machine;
    let at_rest = if class.proves() {
        ENGINE_AT_REST_GIB + machine.pinned_bytes.div_ceil(GIB)
    } else {
        0
    } + if class.executes() {
        LIGHT_AT_REST_GIB
    } else {
        0
    };
    let limit_gib = limit_bytes / GIB;
    let free = match capacity {
        Some(weight) => weight,
        None => u32::try_from(limit_gib.saturating_sub(at_rest)).unwrap_or(u32::MAX),
    };
    let smallest = if class.proves() { units.prove } else { 0 } + u32::from(class.executes());
    if let Some(capacity) = capacity.filter(|capacity| *capacity < smallest) {
        return Err(MemoryError::Capacity {
            class,
            capacity,
            smallest,
        });
    }
    if free < smallest {
        return Err(MemoryError::TooSmall {
            class,
            needed_gib: at_rest + u64::from(smallest),
            limit_gib,
        });
    }
    let (execute_weight, prove_weight) = match class {
        Class::Cpu => (free, 0),
        Class::Gpu => (0, free),
        Class::All => {
            let execute = units.execute.min(free - units.prove);
            (execute, free - execute)
        }
    };
    // On a GPU one proves at a time, while others fetch and prepare what is next, or store what is done: a fast one does in a second what takes those three.
    let most = if machine.pinned_bytes > 0 { 8 } else { 4 };
    // Beside one program there is as much again: SP1 takes memory for what the program did, too.
    let programs = (execute_weight / units.execute).max(2);
    Ok(MemoryPlan {
        limit_bytes,
        execute_weight,
        prove_weight,
        prover_permits: permits
            .unwrap_or_else(|| (prove_weight / units.prove).clamp(1, most) as usize),
        // The executed program's resident set must fit beside what the process itself holds.
        executor_memory_bytes: (limit_bytes.saturating_sub(at_rest * GIB) / u64::from(programs))
            .clamp(GIB, 24 * GIB),
    })
}

/// The memory limit of this process's cgroup, version 2 or 1, or the machine's memory where there is none.
pub fn cgroup_limit() -> Option<u64> {
    let machine = meminfo_total(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    let limit = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]
    .iter()
    .find_map(|path| parse_limit(&std::fs::read_to_string(Path::new(path)).ok()?));
    Some(limit.map_or(machine, |limit| limit.min(machine)))
}

/// Parses a cgroup limit file: bytes, or `max` for none.
pub fn parse_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// `MemTotal` of /proc/meminfo, in bytes.
pub fn meminfo_total(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}
