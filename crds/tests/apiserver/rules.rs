//! Every case of the CEL rules, applied.

use std::collections::BTreeSet;

use crate::{
    cases::{self, Case},
    space::{Space, causes},
};

/// The rule's own words in `Forbidden: words`, `Invalid value: words` or `Invalid value: "value": words`.
fn plain(message: &str) -> &str {
    let rest = message
        .strip_prefix("Forbidden: ")
        .or_else(|| message.strip_prefix("Invalid value: "));
    let rest = rest.unwrap_or(message);
    match rest.rsplit_once("\": ") {
        Some((value, words)) if value.starts_with('"') => words,
        _ => rest,
    }
}

/// What the API server answers to the case, as the case itself would say it.
async fn run(space: &Space, case: &Case) -> BTreeSet<(String, String)> {
    if let Some(old) = &case.old {
        space.apply(&case.object(old)).await.unwrap();
    }
    let Err(status) = space.apply(&case.object(&case.spec)).await else {
        return BTreeSet::new();
    };
    assert_eq!(status.code, 422, "{}: {}", case.title, status.message);
    let length = status.message.len();
    assert!(
        length < 2000,
        "{}: the answer repeats the value, {length} bytes",
        case.title
    );
    causes(&status)
        .into_iter()
        .flat_map(|(field, messages)| messages.into_iter().map(move |m| (field.clone(), m)))
        .map(|(field, message)| (field, plain(&message).to_owned()))
        .collect()
}

async fn every_case_of(kind: &str) {
    let space = Space::new(&format!("rules-{}", kind.to_lowercase())).await;
    let mut wrong = Vec::new();
    for case in cases::all().into_iter().filter(|case| case.kind == kind) {
        let found = run(&space, &case).await;
        let expected: BTreeSet<_> = case
            .refused
            .iter()
            .map(|(f, m)| ((*f).to_owned(), (*m).to_owned()))
            .collect();
        if found != expected {
            wrong.push(format!("{}: {found:?}, not {expected:?}", case.title));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    space.close().await;
}

#[tokio::test]
async fn proof_requests() {
    every_case_of("ProofRequest").await;
}

#[tokio::test]
async fn proving_tasks() {
    every_case_of("ProvingTask").await;
}

#[tokio::test]
async fn worker_pools() {
    every_case_of("WorkerPool").await;
}
