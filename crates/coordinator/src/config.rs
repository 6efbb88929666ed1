//! The coordinator's settings.

use std::time::Duration;

use provost_proto::worker::TaskType;
use provost_scheduler::TaskKind;
pub use provost_scheduler::retry::{Policy as RetryPolicy, Timeouts};

use crate::Millis;

/// The coordinator's settings; [`Config::default`] is what a cluster runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// This replica's name, for the workers' logs.
    pub replica: String,
    /// Memory that each type of task needs.
    pub weights: Weights,
    /// How long a joined process whose stream has ended may take to open a new one before its tasks go elsewhere. One that lives does so at once, so
    /// this is how soon the end of a process is acted on. One that is back later takes back what nobody has begun again.
    pub break_grace: Duration,
    /// The same for one that runs Controller, CoreExecute or ExecuteOnly: its proof begins again without it, so it gets more time. When its pod
    /// has ended, the operator says so sooner.
    pub root_break_grace: Duration,
    /// How long a worker of the unary door may take to open a new stream, before its tasks go elsewhere; and when a joined process without a stream is
    /// taken to be gone for good.
    pub lost_grace: Duration,
    /// How long a worker may be silent before its leaf tasks go elsewhere.
    pub leaf_liveness: Duration,
    /// How long a worker may be silent before its Controller, CoreExecute and ExecuteOnly tasks go elsewhere.
    pub root_liveness: Duration,
    /// The bounds on attempts at a task. A proof may have its own number of retries.
    pub retry: RetryPolicy,
    /// How long an attempt at a task of each type may take.
    pub timeouts: Timeouts,
    /// How long a proof may be without any progress while nothing of it waits for a worker and none of its proving tasks runs, before it begins again.
    pub progress_limit: Duration,
    /// How long a worker may report a cancelled task before its pod is to be replaced.
    pub recycle_grace: Duration,
    /// The same for an execution, which stops by itself between two chunks of its program.
    pub execution_recycle_grace: Duration,
    /// How long after its assignment a task must appear in the worker's heartbeats, or it is sent again.
    pub resend_task: Duration,
    /// How many times it is sent again before another worker gets it.
    pub max_resends: u32,
    /// How long a result waits for its acknowledgement before it is sent again.
    pub resend_result: Duration,
    /// How long a subscription outlives its stream.
    pub sub_grace: Duration,
    /// Time between the server's beats on a worker's stream.
    pub worker_beat: Duration,
    /// Time between the server's beats on a subscription.
    pub sub_beat: Duration,
    /// How long the outcome of an ended proof is remembered, so that repeated calls get the same answer.
    pub remember: Duration,
    /// Most bytes that one task's message channel may hold.
    pub max_channel_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            replica: String::new(),
            weights: Weights::default(),
            break_grace: Duration::from_millis(150),
            root_break_grace: Duration::from_secs(4),
            lost_grace: Duration::from_secs(5),
            leaf_liveness: Duration::from_secs(8),
            root_liveness: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
            progress_limit: Duration::from_secs(1800),
            recycle_grace: Duration::from_secs(5),
            execution_recycle_grace: Duration::from_secs(60),
            resend_task: Duration::from_secs(4),
            max_resends: 3,
            resend_result: Duration::from_secs(4),
            sub_grace: Duration::from_secs(20),
            worker_beat: Duration::from_secs(5),
            sub_beat: Duration::from_secs(10),
            remember: Duration::from_secs(3600),
            max_channel_bytes: 256 * 1024 * 1024,
        }
    }
}

impl Config {
    /// The bounds on attempts at a task; `max_retries` is what its proof says.
    pub(crate) fn policy(&self, max_retries: Option<u32>) -> RetryPolicy {
        RetryPolicy {
            retries: max_retries.unwrap_or(self.retry.retries),
            ..self.retry
        }
    }
}

/// The doors by which workers come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doors {
    /// Provost's own: one stream for each process.
    pub native: bool,
    /// SP1's contract: unary calls.
    pub unary: bool,
}

impl Doors {
    /// Provost's own alone.
    pub const NATIVE: Self = Self {
        native: true,
        unary: false,
    };
    /// SP1's contract alone.
    pub const UNARY: Self = Self {
        native: false,
        unary: true,
    };
    /// Both.
    pub const BOTH: Self = Self {
        native: true,
        unary: true,
    };
}

/// A duration as the reactor counts time.
pub(crate) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX / 4)
}

/// Memory in GiB that a task of each type needs. The coordinator stamps it on every task; what the submitter says is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is the task type of its name")]
pub struct Weights {
    pub controller: u32,
    pub core_execute: u32,
    pub execute_only: u32,
    pub setup_vkey: u32,
    pub prove_shard: u32,
    pub recursion_deferred: u32,
    pub recursion_reduce: u32,
    pub shrink_wrap: u32,
    pub plonk_wrap: u32,
    pub groth16_wrap: u32,
    pub util: u32,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            controller: 1,
            core_execute: 8,
            execute_only: 4,
            setup_vkey: 1,
            prove_shard: 4,
            recursion_deferred: 3,
            recursion_reduce: 3,
            shrink_wrap: 4,
            plonk_wrap: 60,
            groth16_wrap: 14,
            util: 2,
        }
    }
}

impl Weights {
    /// Says what a type of tasks weighs, in GiB. Both types of UtilVkeyMap weigh the same.
    pub const fn set(&mut self, kind: TaskKind, gib: u32) {
        let weight = match kind {
            TaskKind::Controller => &mut self.controller,
            TaskKind::CoreExecute => &mut self.core_execute,
            TaskKind::ExecuteOnly => &mut self.execute_only,
            TaskKind::SetupVkey => &mut self.setup_vkey,
            TaskKind::ProveShard => &mut self.prove_shard,
            TaskKind::RecursionDeferred => &mut self.recursion_deferred,
            TaskKind::RecursionReduce => &mut self.recursion_reduce,
            TaskKind::ShrinkWrap => &mut self.shrink_wrap,
            TaskKind::PlonkWrap => &mut self.plonk_wrap,
            TaskKind::Groth16Wrap => &mut self.groth16_wrap,
            TaskKind::UtilVkeyMapController | TaskKind::UtilVkeyMapChunk => &mut self.util,
        };
        *weight = gib;
    }

    /// The weight of a task type; 0 for what no worker runs.
    pub const fn of(&self, task: TaskType) -> u32 {
        match task {
            TaskType::Controller => self.controller,
            TaskType::CoreExecute => self.core_execute,
            TaskType::ExecuteOnly => self.execute_only,
            TaskType::SetupVkey => self.setup_vkey,
            TaskType::ProveShard => self.prove_shard,
            TaskType::RecursionDeferred => self.recursion_deferred,
            TaskType::RecursionReduce => self.recursion_reduce,
            TaskType::ShrinkWrap => self.shrink_wrap,
            TaskType::PlonkWrap => self.plonk_wrap,
            TaskType::Groth16Wrap => self.groth16_wrap,
            TaskType::UtilVkeyMapController | TaskType::UtilVkeyMapChunk => self.util,
            TaskType::MarkerDeferredRecord | TaskType::UnspecifiedTaskType => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_has_its_own_number_of_retries_and_nothing_else() {
        let config = Config::default();
        assert_eq!(config.policy(None), RetryPolicy::default());
        let own = config.policy(Some(7));
        assert_eq!(own.retries, 7);
        let retries = config.retry.retries;
        assert_eq!(RetryPolicy { retries, ..own }, config.retry);
    }
}
