//! The plan of one proof: every draw that its tasks need, the same in each attempt.

use std::time::Duration;

use provost_proto::worker::TaskType;
use serde::{Deserialize, Serialize};

use super::overrides::Verdict;
use super::{Graph, Span};
use crate::random::Random;

/// What one proof looks like, and its draws.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    graph: Graph,
    proof: String,
    verdict: Option<Verdict>,
}

/// What one task does: it travels in the task's `metadata`, since a leaf knows nothing of its proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// How long it takes, in microseconds.
    pub us: u64,
    /// Bytes of its output.
    pub out: u32,
    /// Bytes of what a shard leaves for precompile shards.
    #[serde(default)]
    pub deferred: u32,
}

impl Work {
    /// How long it takes.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.us)
    }

    /// The text that travels.
    pub fn to_metadata(self) -> String {
        serde_json::to_string(&self).unwrap_or_default()
    }

    /// Reads a task's metadata; `None` for a task of another creator.
    pub fn from_metadata(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl Plan {
    pub(super) fn new(graph: Graph, proof: &str, verdict: Option<Verdict>) -> Self {
        Self {
            graph,
            proof: proof.to_owned(),
            verdict,
        }
    }

    /// How the execution fails, if it is to fail.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// What the proof looks like.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What task number `index` of a type does.
    pub fn work(&self, kind: TaskType, index: u64) -> Work {
        let (bytes, name) = (&self.graph.bytes, kind.as_str_name());
        let span = self.graph.durations.get(name).copied();
        let span = span.unwrap_or(Span {
            ms: 0.0,
            jitter: 0.0,
        });
        let mut random = Random::named(self.graph.seed, &format!("{}/{name}/{index}", self.proof));
        let ms = span.ms * (1.0 + span.jitter * (2.0 * random.unit() - 1.0));
        Work {
            us: (ms * self.graph.scale * 1000.0) as u64,
            out: bytes.proof,
            deferred: bytes.deferred,
        }
    }

    /// Time between two shards.
    pub fn pace(&self) -> Duration {
        match self.graph.shards_per_second {
            rate if rate > 0.0 => Duration::from_secs_f64(self.graph.scale / rate),
            _ => Duration::ZERO,
        }
    }

    /// Proofs at the leaves of the tree.
    pub fn leaves(&self) -> u64 {
        let graph = &self.graph;
        [
            graph.shards,
            graph.memory_shards,
            graph.precompile_shards,
            graph.deferred_proofs,
        ]
        .map(u64::from)
        .iter()
        .sum()
    }

    /// Tasks of a type that a proof of this mode (see [`crate::graph::Mode`]) takes when nothing goes wrong, markers included.
    pub fn tasks(&self, mode: crate::graph::Mode, kind: TaskType) -> u64 {
        use crate::graph::Mode;
        let graph = &self.graph;
        let once = |is: bool| u64::from(is);
        match kind {
            TaskType::Controller | TaskType::CoreExecute | TaskType::SetupVkey => 1,
            TaskType::MarkerDeferredRecord => u64::from(graph.shards),
            TaskType::ProveShard => self.leaves() - u64::from(graph.deferred_proofs),
            TaskType::RecursionDeferred => u64::from(graph.deferred_proofs),
            TaskType::RecursionReduce if mode == Mode::Core => 0,
            // Each reduction but the last joins `arity` proofs into one.
            TaskType::RecursionReduce => (self.leaves() - 1).div_ceil(u64::from(graph.arity) - 1),
            TaskType::ShrinkWrap => once(matches!(mode, Mode::Groth16 | Mode::Plonk)),
            TaskType::Groth16Wrap => once(mode == Mode::Groth16),
            TaskType::PlonkWrap => once(mode == Mode::Plonk),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::profile::Profile;

    #[test]
    fn draws_repeat_and_stay_in_their_span() {
        let profile = Profile::default();
        let (a, b) = (
            profile.plan("p", None).unwrap(),
            profile.plan("p", None).unwrap(),
        );
        let works: Vec<_> = (0..100).map(|i| a.work(TaskType::ProveShard, i)).collect();
        assert!(works.iter().all(|w| (12_000..=28_000).contains(&w.us)));
        assert!(works.iter().any(|w| w.us != works[0].us));
        assert_eq!(works[7], b.work(TaskType::ProveShard, 7));
        let text = works[7].to_metadata();
        assert_eq!(Work::from_metadata(&text), Some(works[7]));
        assert_eq!(Work::from_metadata(""), None);
    }
}
