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
    inputs.release("a", 0, &held, &[], |_| false).await.unwrap();
    assert_eq!(ids(&store, Kind::Program).await, [id.as_str()]);
    inputs
        .release("b", 0, &held, &[], |other| other == id)
        .await
        .unwrap();
    assert_eq!(ids(&store, Kind::Program).await, [id.as_str()]);
    inputs.release("b", 0, &held, &[], |_| false).await.unwrap();
    assert!(ids(&store, Kind::Program).await.is_empty());
}

#[tokio::test]
async fn who_leads_no_more_removes_nothing() {
    let store = Arc::new(MemoryStore::new());
    let inputs = Inputs::new(store.clone(), Metrics::new()).fenced(Fence::default());
    let elf = Bytes::from_static(b"elf");
    let id = inputs.put_program("a", elf).await.unwrap();
    let tag = ProofTag::of("ns/p/u");
    let artifact = id::mint(tag, 1, 1);
    let bytes = Bytes::from_static(b"shard");
    store.put(Kind::Artifact, &artifact, bytes).await.unwrap();
    let held = [(Kind::Program, id.clone())];
    let refused = [
        inputs.release("a", 0, &held, &[], |_| false).await.err(),
        inputs.sweep(tag).await.err(),
        inputs.remove_orphans(Kind::Artifact, |_| true).await.err(),
    ];
    for error in refused {
        assert_eq!(error.unwrap().reason(), "NotLeader");
    }
    assert_eq!(ids(&store, Kind::Program).await, [id]);
    assert_eq!(ids(&store, Kind::Artifact).await, [artifact]);
}

#[tokio::test]
async fn what_a_forgotten_request_held_is_the_sweepers() {
    let (store, inputs) = inputs();
    let elf = Bytes::from_static(b"elf");
    inputs.put_program("a", elf).await.unwrap();
    let sweep = async || {
        inputs
            .remove_orphans(Kind::Program, |_| true)
            .await
            .unwrap()
    };
    assert_eq!(sweep().await, 0);
    inputs.forget("a").await;
    assert_eq!(sweep().await, 1);
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
        .release("a", 0, &[(Kind::Program, id.clone())], &[], |_| false)
        .await
        .unwrap();
    assert_eq!(ids(&store, Kind::Program).await, [id.as_str()]);
    assert!(inputs.hold("b", Kind::Program, &id).await.unwrap());
    inputs
        .release(
            "b",
            0,
            &[(Kind::Program, id.clone())],
            &[id.as_str()],
            |_| false,
        )
        .await
        .unwrap();
    assert!(ids(&store, Kind::Program).await.is_empty());
}

#[tokio::test]
async fn an_upload_is_not_used_up_by_requests_that_bring_the_same_bytes() {
    let (store, inputs) = inputs();
    let elf = Bytes::from_static(b"elf");
    let id = inputs.upload_program(elf.clone()).await.unwrap();
    let held = [(Kind::Program, id.clone())];
    inputs.put_program("stored", elf).await.unwrap();
    assert!(inputs.keep("again", Kind::Program, &id).await.unwrap());
    // The last one was refused before it came to store them.
    for holder in ["stored", "again", "refused"] {
        inputs
            .release(holder, now_ms(), &held, &[], |_| false)
            .await
            .unwrap();
        assert_eq!(ids(&store, Kind::Program).await, [id.as_str()], "{holder}");
    }
    assert!(inputs.hold("client", Kind::Program, &id).await.unwrap());
    inputs
        .release("client", now_ms(), &held, &[id.as_str()], |_| false)
        .await
        .unwrap();
    assert!(ids(&store, Kind::Program).await.is_empty());
}

#[tokio::test]
async fn what_an_earlier_leader_may_have_promised_is_left_to_the_sweeper() {
    for (epoch, left) in [(1, 0), (2, 1)] {
        let (store, inputs) = inputs();
        inputs.begin_term(epoch).await;
        let elf = Bytes::from_static(b"elf");
        let program = inputs.put_program("a", elf).await.unwrap();
        let own = id::mint(ProofTag::of("a"), 1, 1);
        let uploaded = id::mint(ProofTag::default(), 1, 1);
        for stdin in [own.as_str(), uploaded.as_str()] {
            let bytes = Bytes::from_static(b"stdin");
            inputs.put_stdin("a", stdin, bytes).await.unwrap();
        }
        let held = [
            (Kind::Program, program),
            (Kind::Stdin, own),
            (Kind::Stdin, uploaded.clone()),
        ];
        let named = [held[0].1.as_str(), uploaded.as_str()];
        inputs
            .release("a", now_ms(), &held, &named, |_| false)
            .await
            .unwrap();
        assert_eq!(ids(&store, Kind::Program).await.len(), left);
        let stdins = ids(&store, Kind::Stdin).await;
        assert_eq!(stdins, vec![uploaded; left]);
        // Nobody holds it any more, so that its age decides.
        let swept = inputs.remove_orphans(Kind::Program, |_| true).await;
        assert_eq!(swept.unwrap(), left);
    }
}

#[tokio::test]
async fn a_program_is_neither_read_nor_unpacked_beyond_its_limit() {
    let (store, inputs) = inputs();
    let bomb = codec::encode_bytes(&vec![0; MAX_PROGRAM_BYTES + 1]).unwrap();
    assert!(bomb.len() < 100_000);
    for (id, bytes) in [
        ("fits", codec::encode_bytes(&[7; 1000]).unwrap()),
        ("one-more", codec::encode_bytes(&[7; 1001]).unwrap()),
        ("not-even-unpacked", vec![7; 10_000]),
        ("bomb", bomb),
    ] {
        store.put(Kind::Program, id, bytes.into()).await.unwrap();
    }
    let read = async |id: &'static str| inputs.read_up_to(id, 1000).await;
    assert_eq!(read("fits").await.unwrap(), [7; 1000]);
    for id in ["one-more", "not-even-unpacked"] {
        let error = read(id).await.unwrap_err();
        assert_eq!(error.reason(), "ArtifactTooLarge", "{error}");
    }
    let missing = read("none").await.unwrap_err();
    assert_eq!(missing.reason(), "ArtifactNotFound");
    let error = inputs.read_program("bomb").await.unwrap_err();
    assert_eq!(error.reason(), "ArtifactTooLarge");
}

#[tokio::test]
async fn what_was_uploaded_for_a_refused_request_goes_with_it() {
    let (store, inputs) = inputs();
    let id = inputs
        .upload_program(Bytes::from_static(b"elf"))
        .await
        .unwrap();
    // It was refused before its program was looked at: it never came to hold it.
    let held = [(Kind::Program, id.clone())];
    inputs
        .release("a", now_ms(), &held, &[id.as_str()], |_| false)
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
        .release("a", 0, &[(Kind::Program, id.clone())], &[], |_| false)
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
        .release("a", 0, &[(Kind::Program, id)], &[], |_| false)
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
