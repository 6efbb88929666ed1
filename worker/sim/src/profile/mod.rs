//! Profiles: what the graph of a proof looks like, how long its tasks take and how large its artifacts are.

mod overrides;
mod plan;

use std::collections::BTreeMap;

use provost_proto::worker::TaskType;
use serde::{Deserialize, Serialize};

pub use overrides::{Overrides, Variant, Verdict};
pub use plan::{Plan, Work};

/// The graphs, durations and sizes of a simulated cluster. Durations are of an unscaled run: [`Graph::scale`] stretches them all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Profile {
    /// What every proof looks like, unless a variant or its stdin says otherwise.
    pub graph: Graph,
    /// Kinds of proofs, by their share of all. A proof's id decides which it is; none means that all are alike.
    pub variants: Vec<Variant>,
}

/// What one proof looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Graph {
    /// Where all draws begin.
    pub seed: u64,
    /// Shards that the execution emits while it runs: each with a marker. At least 1.
    pub shards: u32,
    /// Shards of global memory, emitted when the program has run. At least 1.
    pub memory_shards: u32,
    /// Precompile shards, emitted when all markers are complete.
    pub precompile_shards: u32,
    /// Proofs that the program takes as input.
    pub deferred_proofs: u32,
    /// Shards emitted per second of an unscaled run; 0 is as fast as the coordinator takes them.
    pub shards_per_second: f64,
    /// Shards that are emitted side by side: each takes a few calls one after another.
    pub emitters: u32,
    /// Most proofs that one reduction joins.
    pub arity: u32,
    /// Cycles that the execution counts.
    pub cycles: u64,
    /// The program's exit code. A prove mode fails with ProgramFault if it is not 0.
    pub exit_code: u32,
    /// Factor on all durations; 0 makes tasks end at once.
    pub scale: f64,
    /// How long tasks take.
    pub durations: BTreeMap<String, Span>,
    /// How large artifacts are.
    pub bytes: Sizes,
}

/// How long tasks of one type take: evenly spread over `ms` less and more `jitter`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Span {
    /// The mean, in milliseconds.
    pub ms: f64,
    /// The largest deviation, as a part of the mean: 0.2 is 20 %.
    #[serde(default)]
    pub jitter: f64,
}

/// Bytes of artifacts before compression; they do not compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sizes {
    /// A shard's record.
    pub record: u32,
    /// The proof of a shard or of a reduction.
    pub proof: u32,
    /// What a shard leaves for precompile shards.
    pub deferred: u32,
    /// The finished proof.
    pub finished: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            record: 4096,
            proof: 1024,
            deferred: 256,
            finished: 2048,
        }
    }
}

impl Default for Graph {
    /// A small proof, a hundred times as fast as a GPU makes it.
    fn default() -> Self {
        let ms = |ms, jitter| Span { ms, jitter };
        let durations = [
            (TaskType::Controller, ms(2.0, 0.0)),
            (TaskType::CoreExecute, ms(5.0, 0.2)),
            (TaskType::ExecuteOnly, ms(10.0, 0.2)),
            (TaskType::SetupVkey, ms(40.0, 0.2)),
            (TaskType::ProveShard, ms(20.0, 0.4)),
            (TaskType::RecursionDeferred, ms(4.0, 0.2)),
            (TaskType::RecursionReduce, ms(4.0, 0.2)),
            (TaskType::ShrinkWrap, ms(40.0, 0.2)),
            (TaskType::PlonkWrap, ms(80.0, 0.2)),
            (TaskType::Groth16Wrap, ms(20.0, 0.2)),
        ];
        let named = durations.map(|(kind, span)| (kind.as_str_name().to_owned(), span));
        Self {
            seed: 1,
            shards: 4,
            memory_shards: 1,
            precompile_shards: 0,
            deferred_proofs: 0,
            shards_per_second: 0.0,
            emitters: 2,
            arity: 4,
            cycles: 1_000_000,
            exit_code: 0,
            scale: 1.0,
            durations: named.into_iter().collect(),
            bytes: Sizes::default(),
        }
    }
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Neither a built-in name nor a file.
    #[error("{name} is no profile: built in are {}; or name a JSON file", Profile::NAMES.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// Not the JSON of a profile.
    #[error("the profile does not parse: {0}")]
    Parse(#[from] serde_json::Error),
    /// A value that makes no sense.
    #[error("the profile's {field} is out of range: {detail}")]
    Range {
        /// The field.
        field: &'static str,
        /// What it must be.
        detail: String,
    },
}

impl ProfileError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "UnknownProfile",
            Self::Parse(_) | Self::Range { .. } => "InvalidProfile",
        }
    }
}

impl Profile {
    /// The names of the built-in profiles.
    pub const NAMES: [&str; 4] = ["default", "small", "mixed", "10k"];

    /// A profile by its built-in name, as JSON text, or as the path of a JSON file.
    pub fn load(name: &str) -> Result<Self, ProfileError> {
        let file;
        let text = match name {
            "" | "default" => "{}",
            "small" => include_str!("../../profiles/small.json"),
            "mixed" => include_str!("../../profiles/mixed.json"),
            "10k" => include_str!("../../profiles/10k.json"),
            json if json.trim_start().starts_with('{') => json,
            path => {
                file = std::fs::read_to_string(path).map_err(|_| ProfileError::Unknown {
                    name: name.to_owned(),
                })?;
                &file
            }
        };
        let given: Given = serde_json::from_str(text)?;
        let mut profile = Self {
            graph: Graph::default(),
            variants: given.variants,
        };
        given.graph.apply(&mut profile.graph)?;
        for variant in &profile.variants {
            variant.overrides.apply(&mut profile.graph.clone())?;
        }
        Ok(profile)
    }

    /// The plan of a proof: the profile, its variant, and what its stdin asks for.
    pub fn plan(&self, proof: &str, stdin: Option<&Overrides>) -> Result<Plan, ProfileError> {
        let mut graph = self.graph.clone();
        let variant = overrides::choose(&self.variants, graph.seed, proof);
        let changes = [variant.map(|v| &v.overrides), stdin];
        let mut verdict = None;
        for overrides in changes.into_iter().flatten() {
            overrides.apply(&mut graph)?;
            verdict = overrides.fail.clone().or(verdict);
        }
        Ok(Plan::new(graph, proof, verdict))
    }
}

/// A profile as it is written: a graph that names only what differs from the default.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[derive(Default)]
struct Given {
    graph: Overrides,
    variants: Vec<Variant>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_built_in_profiles_load() {
        for name in Profile::NAMES {
            let profile = Profile::load(name).unwrap();
            let plan = profile.plan("proof", None).unwrap();
            assert!(plan.graph().shards >= 1, "{name}");
        }
        assert_eq!(Profile::load("10k").unwrap().graph.shards, 10_000);
        assert_eq!(Profile::load("").unwrap(), Profile::default());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "nothing-of-that-name",
            r#"{"shards":3}"#,
            r#"{"graph":{"shards":0}}"#,
            r#"{"graph":{"arity":1}}"#,
            r#"{"graph":{"durations":{"PROVE":{"ms":1}}}}"#,
            r#"{"graph":{"scale":-1}}"#,
        ] {
            let error = Profile::load(text).unwrap_err();
            assert!(!error.to_string().is_empty(), "{text}");
        }
    }

    #[test]
    fn a_profile_changes_what_it_names_and_keeps_the_rest() {
        let text =
            r#"{"graph":{"shards":7,"durations":{"PROVE_SHARD":{"ms":3}},"bytes":{"record":9}}}"#;
        let graph = Profile::load(text).unwrap().graph;
        let default = Graph::default();
        assert_eq!((graph.shards, graph.durations["PROVE_SHARD"].ms), (7, 3.0));
        assert_eq!(graph.bytes.record, 9);
        assert_eq!(
            graph.durations["SETUP_VKEY"],
            default.durations["SETUP_VKEY"]
        );
    }
}
