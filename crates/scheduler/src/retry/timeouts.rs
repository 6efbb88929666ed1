//! How long tasks may take.

use crate::Millis;
use crate::kind::TaskKind;

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;

/// How long an attempt at a task of each type may take, in milliseconds, before it is stopped and counts as a [`Timeout`](super::FailureClass::Timeout).
///
/// A bound for what hangs, not an estimate: a GPU proves a shard in seconds, two CPU cores that share it with three others in ten minutes. What runs as long as its proof has
/// hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is the task type of its name")]
pub struct Timeouts {
    pub controller: Millis,
    pub core_execute: Millis,
    pub execute_only: Millis,
    pub setup_vkey: Millis,
    pub prove_shard: Millis,
    pub recursion_deferred: Millis,
    pub recursion_reduce: Millis,
    pub shrink_wrap: Millis,
    pub plonk_wrap: Millis,
    pub groth16_wrap: Millis,
    pub util: Millis,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            controller: 24 * HOUR,
            core_execute: 6 * HOUR,
            execute_only: 6 * HOUR,
            setup_vkey: 10 * MINUTE,
            prove_shard: 30 * MINUTE,
            recursion_deferred: 30 * MINUTE,
            recursion_reduce: 30 * MINUTE,
            shrink_wrap: 30 * MINUTE,
            plonk_wrap: HOUR,
            groth16_wrap: HOUR,
            util: HOUR,
        }
    }
}

impl Timeouts {
    /// How long a task of a type may take.
    pub const fn of(&self, kind: TaskKind) -> Millis {
        let mut copy = *self;
        *copy.field(kind)
    }

    /// Lets tasks of a type take so long.
    pub const fn set(&mut self, kind: TaskKind, limit: Millis) {
        *self.field(kind) = limit;
    }

    const fn field(&mut self, kind: TaskKind) -> &mut Millis {
        match kind {
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_outlasts_its_children() {
        let timeouts = Timeouts::default();
        let longest = TaskKind::ALL.into_iter().map(|k| timeouts.of(k)).max();
        assert_eq!(longest, Some(timeouts.of(TaskKind::Controller)));
    }

    #[test]
    fn what_is_set_holds_for_that_type() {
        for kind in TaskKind::ALL {
            let mut timeouts = Timeouts::default();
            timeouts.set(kind, 7);
            let util = |kind| {
                kind == TaskKind::UtilVkeyMapChunk || kind == TaskKind::UtilVkeyMapController
            };
            for other in TaskKind::ALL {
                let same = other == kind || util(other) && util(kind);
                let expected = if same {
                    7
                } else {
                    Timeouts::default().of(other)
                };
                assert_eq!(timeouts.of(other), expected, "{kind} set, {other}");
            }
        }
    }
}
