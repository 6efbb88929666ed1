//! The CEL rules of the CRDs, evaluated in-process by kube's CEL on the types as Rust sees them.

#![allow(clippy::unwrap_used)]

mod cases;

use std::collections::BTreeSet;

use cases::Case;
use kube::core::cel::ValidationErrors;
use provost_crds::{ProofRequest, ProvingTask, WorkerPool, manifest};
use serde_json::Value;

fn validate(case: &Case) -> Result<(), ValidationErrors> {
    macro_rules! typed {
        ($kind:ty) => {{
            let parse =
                |spec: &Value| -> $kind { serde_json::from_value(case.object(spec)).unwrap() };
            let new = parse(&case.spec);
            match &case.old {
                None => new.validate_cel(),
                Some(old) => new.validate_cel_update(&parse(old)),
            }
        }};
    }
    match case.kind {
        "ProofRequest" => typed!(ProofRequest),
        "ProvingTask" => typed!(ProvingTask),
        "WorkerPool" => typed!(WorkerPool),
        other => panic!("unknown kind {other}"),
    }
}

/// The path as the API server writes it: kube's CEL joins a rule's `fieldPath` with its leading dot.
fn path(error: &str) -> String {
    error
        .split('.')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(".")
}

#[test]
fn every_case_ends_as_it_says() {
    let mut wrong = Vec::new();
    for case in cases::all() {
        let found: BTreeSet<(String, String)> = match validate(&case) {
            Ok(()) => BTreeSet::new(),
            Err(errors) => errors
                .iter()
                .map(|e| (path(&e.field_path), e.message.clone()))
                .collect(),
        };
        let expected = case
            .refused
            .iter()
            .map(|(f, m)| ((*f).to_owned(), (*m).to_owned()))
            .collect();
        if found != expected {
            wrong.push(format!(
                "{} {}: {found:?}, not {expected:?}",
                case.kind, case.title
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_case_that_it_refuses() {
    let tried: BTreeSet<String> = cases::all()
        .iter()
        .flat_map(|case| &case.refused)
        .map(|(_, message)| (*message).to_owned())
        .collect();
    let schemas = serde_json::to_value(manifest::crds()).unwrap();
    let mut messages = BTreeSet::new();
    collect_messages(&schemas, &mut messages);
    assert!(messages.len() > 20, "found only {messages:?}");
    assert_eq!(
        messages.difference(&tried).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

fn collect_messages(node: &Value, messages: &mut BTreeSet<String>) {
    match node {
        Value::Array(list) => list
            .iter()
            .for_each(|node| collect_messages(node, messages)),
        Value::Object(map) => {
            for rule in map
                .get("x-kubernetes-validations")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let message = rule["message"]
                    .as_str()
                    .unwrap_or_else(|| panic!("no message: {rule}"));
                messages.insert(message.to_owned());
            }
            map.values()
                .for_each(|node| collect_messages(node, messages));
        }
        _ => {}
    }
}
