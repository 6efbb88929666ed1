//! Objects that the CEL rules accept or refuse. The same cases run in-process, by kube's CEL
//! (`tests/rules.rs`), and on a real API server (`tests/apiserver`).

mod pool;
mod proof;
mod task;

use serde_json::{Value, json};

/// One object that is created, or changed.
pub(crate) struct Case {
    /// What the case shows; also used for the object's name.
    pub(crate) title: &'static str,
    pub(crate) kind: &'static str,
    /// `metadata.name`, if the case is about it.
    pub(crate) name: Option<String>,
    /// The spec that the object has before, for a change.
    pub(crate) old: Option<Value>,
    pub(crate) spec: Value,
    /// Field and message of each refusal; empty if the object is accepted.
    pub(crate) refused: Vec<(&'static str, &'static str)>,
}

impl Case {
    /// The object with this spec.
    pub(crate) fn object(&self, spec: &Value) -> Value {
        let name = self
            .name
            .clone()
            .unwrap_or_else(|| self.title.replace(' ', "-"));
        json!({
            "apiVersion": "provost.dev/v1alpha1",
            "kind": self.kind,
            "metadata": { "name": name },
            "spec": spec,
        })
    }
}

/// All cases of all kinds.
pub(crate) fn all() -> Vec<Case> {
    [proof::cases(), task::cases(), pool::cases()]
        .into_iter()
        .flatten()
        .collect()
}

/// Collects the cases of one kind.
struct Cases {
    kind: &'static str,
    list: Vec<Case>,
}

impl Cases {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            list: Vec::new(),
        }
    }

    fn add(
        &mut self,
        title: &'static str,
        old: Option<Value>,
        spec: Value,
        refused: &[(&'static str, &'static str)],
    ) -> &mut Case {
        self.list.push(Case {
            title,
            kind: self.kind,
            name: None,
            old,
            spec,
            refused: refused.to_vec(),
        });
        self.list.last_mut().expect("one was pushed")
    }

    fn accept(&mut self, title: &'static str, spec: Value) {
        self.add(title, None, spec, &[]);
    }

    fn refuse(
        &mut self,
        title: &'static str,
        spec: Value,
        field: &'static str,
        message: &'static str,
    ) {
        self.add(title, None, spec, &[(field, message)]);
    }
}

/// `base` with `change` merged into it; null removes.
fn with(base: &Value, change: Value) -> Value {
    let (Value::Object(base), Value::Object(change)) = (base, &change) else {
        return change;
    };
    let mut merged = base.clone();
    for (key, value) in change {
        if value.is_null() {
            merged.remove(key);
        } else {
            let old = merged.get(key).cloned().unwrap_or_default();
            merged.insert(key.clone(), with(&old, value.clone()));
        }
    }
    Value::Object(merged)
}
