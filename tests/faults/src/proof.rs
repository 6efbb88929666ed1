//! Requests for simulated proofs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use provost_test_support::elf;
use serde_json::{Map, Value, json};

/// What a proof looks like: its graph, and what its request says besides.
#[derive(Debug, Clone)]
pub struct Shape {
    graph: Map<String, Value>,
    durations: Map<String, Value>,
    spec: Map<String, Value>,
}

impl Shape {
    /// A compressed proof of `shards` shards, each of `ms` milliseconds; all else takes a few.
    pub fn shards(shards: u32, ms: u32) -> Self {
        let mut shape = Self {
            graph: Map::new(),
            durations: Map::new(),
            spec: Map::new(),
        };
        shape.graph.insert("shards".into(), shards.into());
        shape.spec.insert("mode".into(), "Compressed".into());
        shape.takes("PROVE_SHARD", ms)
    }

    /// How long tasks of a type take, in milliseconds.
    #[must_use]
    pub fn takes(mut self, kind: &str, ms: u32) -> Self {
        self.durations.insert(kind.into(), json!({"ms": ms}));
        self
    }

    /// A property of the graph.
    #[must_use]
    pub fn graph(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.graph.insert(name.into(), value.into());
        self
    }

    /// A field of the request's spec.
    #[must_use]
    pub fn spec(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.spec.insert(name.into(), value.into());
        self
    }

    /// The request's spec, with a program of its own for each namespace: what another one names is not removed, be it of an earlier try.
    pub fn to_spec(&self, namespace: &str) -> Value {
        let mut graph = self.graph.clone();
        graph.insert("durations".into(), Value::Object(self.durations.clone()));
        let hint = STANDARD.encode(json!({"sim": graph}).to_string());
        let mut spec = self.spec.clone();
        spec.insert("program".into(), json!({"inline": elf::named(namespace)}));
        spec.insert("stdin".into(), json!({"entries": [{"base64": hint}]}));
        Value::Object(spec)
    }
}
