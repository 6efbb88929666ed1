//! What a profile's variant, or one proof's stdin, changes.

use std::collections::BTreeMap;

use provost_proto::worker::TaskType;
use provost_scheduler::retry::FailureClass;
use serde::{Deserialize, Serialize};

use super::{Graph, ProfileError, Sizes, Span};
use crate::random::Random;

/// Changes to a [`Graph`]; what is left out stays. The first hint of a proof's stdin may carry them, as `{"sim":{...}}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is the one of Graph of its name")]
pub struct Overrides {
    pub seed: Option<u64>,
    pub shards: Option<u32>,
    pub memory_shards: Option<u32>,
    pub precompile_shards: Option<u32>,
    pub deferred_proofs: Option<u32>,
    pub shards_per_second: Option<f64>,
    pub emitters: Option<u32>,
    pub arity: Option<u32>,
    pub cycles: Option<u64>,
    pub exit_code: Option<u32>,
    pub scale: Option<f64>,
    pub durations: BTreeMap<String, Span>,
    pub bytes: Option<Sizes>,
    /// The execution ends like this, in every attempt.
    pub fail: Option<Verdict>,
}

/// How an execution fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verdict {
    /// The class that is reported.
    pub class: FailureClass,
    /// The message that is reported.
    pub message: String,
}

/// One kind of proof among several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Variant {
    /// How many of all proofs are of this kind, in proportion to the other shares.
    pub share: u32,
    /// How they differ.
    #[serde(rename = "graph")]
    pub overrides: Overrides,
}

/// The variant of a proof: drawn by share, the same each time.
pub(super) fn choose<'a>(variants: &'a [Variant], seed: u64, proof: &str) -> Option<&'a Variant> {
    let all: u64 = variants.iter().map(|v| u64::from(v.share)).sum();
    let mut draw = Random::named(seed, proof).bits().checked_rem(all)?;
    variants.iter().find(|variant| {
        let share = u64::from(variant.share);
        let here = draw < share;
        draw = draw.saturating_sub(share);
        here
    })
}

impl Overrides {
    /// Reads the overrides in a stdin's first hint: JSON that begins with `{"sim":`. Any other hint is a program's business.
    pub fn from_hint(hint: &[u8]) -> Option<Result<Self, ProfileError>> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Hint {
            sim: Overrides,
        }
        let text = std::str::from_utf8(hint).ok()?.trim();
        if !text.starts_with(r#"{"sim":"#) {
            return None;
        }
        let parsed = serde_json::from_str::<Hint>(text);
        Some(parsed.map(|hint| hint.sim).map_err(ProfileError::from))
    }

    /// Changes a graph.
    pub(super) fn apply(&self, graph: &mut Graph) -> Result<(), ProfileError> {
        set(&mut graph.seed, &self.seed);
        set(&mut graph.shards, &self.shards);
        set(&mut graph.memory_shards, &self.memory_shards);
        set(&mut graph.precompile_shards, &self.precompile_shards);
        set(&mut graph.deferred_proofs, &self.deferred_proofs);
        set(&mut graph.shards_per_second, &self.shards_per_second);
        set(&mut graph.emitters, &self.emitters);
        set(&mut graph.arity, &self.arity);
        set(&mut graph.cycles, &self.cycles);
        set(&mut graph.exit_code, &self.exit_code);
        set(&mut graph.scale, &self.scale);
        set(&mut graph.bytes, &self.bytes);
        let spans = self.durations.iter();
        graph
            .durations
            .extend(spans.map(|(kind, span)| (kind.clone(), *span)));
        check(graph)
    }
}

fn set<T: Clone>(field: &mut T, value: &Option<T>) {
    if let Some(value) = value {
        *field = value.clone();
    }
}

fn check(graph: &Graph) -> Result<(), ProfileError> {
    let in_range = |field, ok: bool, detail: &str| match ok {
        true => Ok(()),
        false => Err(ProfileError::Range {
            field,
            detail: detail.to_owned(),
        }),
    };
    in_range("shards", graph.shards >= 1, "at least 1")?;
    // A program always leaves memory behind, and a tree of one leaf has no reduction to make its root.
    in_range("memoryShards", graph.memory_shards >= 1, "at least 1")?;
    in_range("emitters", graph.emitters >= 1, "at least 1")?;
    in_range("arity", graph.arity >= 2, "at least 2")?;
    let finite = |x: f64| x.is_finite() && x >= 0.0;
    in_range("scale", finite(graph.scale), "0 or more")?;
    let rate = graph.shards_per_second;
    in_range("shardsPerSecond", finite(rate), "0 or more")?;
    for (kind, span) in &graph.durations {
        let known = TaskType::from_str_name(kind).is_some();
        in_range(
            "durations",
            known,
            &format!("{kind} is no task type; one is PROVE_SHARD"),
        )?;
        let fits = finite(span.ms) && (0.0..=1.0).contains(&span.jitter);
        in_range("durations", fits, "ms 0 or more, jitter 0 to 1")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_stdin_may_carry_options() {
        assert!(Overrides::from_hint(b"\x01\x02\xff").is_none());
        assert!(Overrides::from_hint(br#"{"shards":3}"#).is_none());
        let read = |text: &str| Overrides::from_hint(text.as_bytes()).unwrap();
        assert_eq!(read(r#"{"sim":{"shards":3}}"#).unwrap().shards, Some(3));
        assert!(read(r#"{"sim":{"shard":3}}"#).is_err());
    }

    #[test]
    fn variants_are_drawn_by_their_share() {
        let variant = |share| Variant {
            share,
            overrides: Overrides::default(),
        };
        let variants = [variant(3), variant(1), variant(0)];
        let drawn = |i: usize| {
            let chosen = choose(&variants, 1, &format!("p{i}")).unwrap();
            variants.iter().position(|v| std::ptr::eq(v, chosen))
        };
        let first = (0..1000).filter(|i| drawn(*i) == Some(0)).count();
        assert!((700..800).contains(&first), "{first}");
        assert!((0..1000).all(|i| drawn(i) != Some(2)));
        assert!(choose(&[], 1, "p").is_none());
    }
}
