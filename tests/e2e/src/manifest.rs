//! ProofRequests as text, as a user would write them.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::{Answer, NAMESPACE, run};

/// The path of a prebuilt guest program. cargo runs tests in the folder of their crate, whichever clone compiled them.
pub fn guest(name: &str) -> String {
    format!("../../guests/prebuilt/{name}.elf")
}

/// A ProofRequest to be.
pub struct Manifest {
    object: Value,
}

impl Manifest {
    /// A request for `guest`, its ELF inline, with one 32-bit input for each of `inputs`.
    pub fn new(name: &str, guest_name: &str, mode: &str, inputs: &[u32]) -> Self {
        let elf = std::fs::read(guest(guest_name)).expect("a prebuilt guest");
        let entries: Vec<Value> = inputs.iter().map(|input| json!({ "u32": input })).collect();
        let object = json!({
            "apiVersion": "provost.dev/v1alpha1",
            "kind": "ProofRequest",
            "metadata": { "name": name, "namespace": NAMESPACE },
            "spec": {
                "program": { "inline": base64::engine::general_purpose::STANDARD.encode(elf) },
                "stdin": { "entries": entries },
                "mode": mode,
            },
        });
        Self { object }
    }

    /// Sets what a JSON pointer names.
    pub fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        self.object.pointer_mut(parent).expect("its parent exists")[key] = value;
        self
    }

    /// `kubectl apply`, and what it answers.
    pub fn apply(&self) -> Answer {
        run("kubectl", &["apply", "-f", "-"], &self.object.to_string())
    }

    /// `kubectl apply`, which must succeed.
    pub fn apply_ok(&self) {
        let answer = self.apply();
        assert!(answer.ok, "{}", answer.stderr);
    }
}
