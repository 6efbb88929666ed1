#![allow(clippy::unwrap_used)]

use super::*;
use provost_artifacts::MemoryStore;

fn inputs() -> (Arc<MemoryStore>, Inputs) {
    let store = Arc::new(MemoryStore::new());
    (store.clone(), Inputs::new(store, Metrics::new()))
}

async fn ids(store: &MemoryStore, kind: Kind) -> Vec<String> {
    store
        .list(kind)
        .await
        .unwrap()
        .into_iter()
        .map(|object| object.id)
        .collect()
}

#[tokio::test]
async fn a_shared_program_goes_with_its_last_request() {
    let (store, inputs) = inputs();
    let id = inputs
        .put_program("a", Bytes::from_static(b"elf"))
        .await
        .unwrap();
    assert_eq!(
        inputs
            .put_program("b", Bytes::from_static(b"elf"))
            .await
            .unwrap(),
        id
    );
    assert_eq!(inputs.read_program(&id).await.unwrap(), b"elf");
    let held = [(Kind::Program, id.clone())];
    inputs.release("a", 0, &held, |_| false).await.unwrap();
    assert_eq!(ids(&store, Kind::Program).await, [id.as_str()]);
    inputs
        .release("b", 0, &held, |other| other == id)
        .await
        .unwrap();
    assert_eq!(ids(&store, Kind::Program).await, [id.as_str()]);
    inputs.release("b", 0, &held, |_| false).await.unwrap();
    assert!(ids(&store, Kind::Program).await.is_empty());
}

#[tokio::test]
async fn an_upload_survives_another_requests_end() {
    let (store, inputs) = inputs();
    let id = inputs
        .put_program("a", Bytes::from_static(b"elf"))
        .await
        .unwrap();
    inputs
        .upload_program(Bytes::from_static(b"elf"))
        .await
        .unwrap();
    inputs
        .release("a", 0, &[(Kind::Program, id.clone())], |_| false)
        .await
        .unwrap();
    assert_eq!(ids(&store, Kind::Program).await, [id.as_str()]);
    assert!(inputs.hold("b", Kind::Program, &id).await.unwrap());
    inputs
        .release("b", 0, &[(Kind::Program, id)], |_| false)
        .await
        .unwrap();
    assert!(ids(&store, Kind::Program).await.is_empty());
}

#[tokio::test]
async fn what_was_uploaded_for_a_refused_request_goes_with_it() {
    let (store, inputs) = inputs();
    let id = inputs
        .upload_program(Bytes::from_static(b"elf"))
        .await
        .unwrap();
    // It was refused before its program was looked at: it never came to hold it.
    let held = [(Kind::Program, id)];
    inputs
        .release("a", now_ms(), &held, |_| false)
        .await
        .unwrap();
    assert!(ids(&store, Kind::Program).await.is_empty());
}

#[tokio::test]
async fn a_sweep_takes_the_proofs_own_artifacts_only() {
    let (store, inputs) = inputs();
    let (mine, other) = (ProofTag::of("mine"), ProofTag::of("other"));
    for (tag, n) in [(mine, 1), (mine, 2), (other, 3)] {
        store
            .put(Kind::Artifact, &id::mint(tag, 1, n), Bytes::new())
            .await
            .unwrap();
    }
    assert_eq!(inputs.sweep(mine).await.unwrap(), 2);
    assert_eq!(ids(&store, Kind::Artifact).await, [id::mint(other, 1, 3)]);
}

#[tokio::test]
async fn a_store_that_is_away_is_counted_and_keeps_the_hold() {
    let (store, inputs) = inputs();
    let id = inputs
        .put_program("a", Bytes::from_static(b"elf"))
        .await
        .unwrap();
    store.set_available(false);
    let error = inputs
        .release("a", 0, &[(Kind::Program, id.clone())], |_| false)
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "StoreUnavailable");
    assert!(
        inputs
            .metrics
            .render()
            .contains("provost_store_errors_total{reason=\"StoreUnavailable\"} 1")
    );
    store.set_available(true);
    inputs
        .release("a", 0, &[(Kind::Program, id)], |_| false)
        .await
        .unwrap();
    assert!(ids(&store, Kind::Program).await.is_empty());
}

#[tokio::test]
async fn what_nobody_holds_is_removed_if_it_is_picked() {
    let (store, inputs) = inputs();
    let held = inputs
        .put_program("a", Bytes::from_static(b"held"))
        .await
        .unwrap();
    let uploaded = inputs
        .upload_program(Bytes::from_static(b"uploaded"))
        .await
        .unwrap();
    for id in ["program_orphan", "program_kept"] {
        store.put(Kind::Program, id, Bytes::new()).await.unwrap();
    }
    let picked = |object: &ListedObject| object.id != "program_kept";
    let removed = inputs.remove_orphans(Kind::Program, picked).await.unwrap();
    assert_eq!(removed, 1);
    let mut left = ids(&store, Kind::Program).await;
    left.sort_unstable();
    let mut expected = vec![held, uploaded, "program_kept".to_owned()];
    expected.sort_unstable();
    assert_eq!(left, expected);
}

#[test]
fn a_stdin_is_checked() {
    assert!(check_stdin(&codec::encode_stdin(&[vec![1, 2]])).is_ok());
    assert!(check_stdin(b"text").is_err());
}
