//! Objects come back as they were written, and leave nothing when they are deleted.

use std::time::Instant;

use bytes::Bytes;
use provost_artifacts::{Kind, ObjectInfo, Store as _, StoreError, id};
use sha2::{Digest as _, Sha256};

use crate::harness::{Server, bytes_arrive, eventually, files, noise, slow_store};

#[tokio::test]
async fn small_ones_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let store = server.store();
    for bytes in [Bytes::new(), Bytes::from_static(b"x"), noise(100_000)] {
        store.put(Kind::Artifact, "a", bytes.clone()).await.unwrap();
        assert_eq!(store.get(Kind::Artifact, "a").await.unwrap(), bytes);
        let info = ObjectInfo {
            size: bytes.len() as u64,
            sha256: Some(hex::encode(Sha256::digest(&bytes))),
        };
        assert_eq!(store.head(Kind::Artifact, "a").await.unwrap(), Some(info));
    }
    assert_eq!(store.head(Kind::Stdin, "a").await.unwrap(), None);
    assert_eq!(
        store.get(Kind::Stdin, "a").await.unwrap_err(),
        StoreError::NotFound {
            key: "stdins/a".to_owned()
        }
    );
    for odd in ["../a", "a/b", ""] {
        assert_eq!(
            store
                .put(Kind::Stdin, odd, Bytes::new())
                .await
                .unwrap_err()
                .reason(),
            "InvalidArtifactId"
        );
    }
    assert_eq!(files(dir.path()).len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_one_travels_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let store = server.store();
    let bytes = noise(100_000_000);
    let start = Instant::now();
    store
        .put(Kind::Proof, "large", bytes.clone())
        .await
        .unwrap();
    let written = start.elapsed();
    assert_eq!(files(dir.path()).len(), 1, "the parts are gone");
    assert_eq!(
        store
            .head(Kind::Proof, "large")
            .await
            .unwrap()
            .unwrap()
            .size,
        100_000_000
    );
    let start = Instant::now();
    assert!(store.get(Kind::Proof, "large").await.unwrap() == bytes);
    println!(
        "100 MB: written in {written:?}, read in {:?}",
        start.elapsed()
    );
    store.delete(Kind::Proof, "large").await.unwrap();
    assert_eq!(files(dir.path()), []);
    server.stop().await;
}

#[tokio::test]
async fn many_are_listed_in_pages_and_deleted_together() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let store = server.store();
    let (mine, other) = (id::ProofTag::of("mine"), id::ProofTag::of("other"));
    // Written as files, since a thousand flushes take long on some disks.
    store
        .put(
            Kind::Artifact,
            &id::mint(other, 0, 0),
            Bytes::from_static(b"abc"),
        )
        .await
        .unwrap();
    let (written, _) = files(dir.path()).pop().unwrap();
    for n in 1..2300 {
        let tag = if n % 2 == 0 { mine } else { other };
        std::fs::copy(&written, written.with_file_name(id::mint(tag, n, n))).unwrap();
    }
    store
        .put(Kind::Proof, &id::mint(mine, 0, 0), Bytes::new())
        .await
        .unwrap();

    let listed = store.list(Kind::Artifact).await.unwrap();
    assert_eq!(listed.len(), 2300);
    assert!(listed.is_sorted_by(|a, b| a.id < b.id));
    assert!(
        listed
            .iter()
            .all(|object| object.size == 3 && object.modified.elapsed().unwrap().as_secs() < 100)
    );

    let of_mine: Vec<String> = listed
        .into_iter()
        .map(|object| object.id)
        .filter(|id| mine.owns(id))
        .collect();
    assert_eq!(of_mine.len(), 1149);
    store.delete_many(Kind::Artifact, &of_mine).await.unwrap();
    store.delete_many(Kind::Artifact, &of_mine).await.unwrap();
    let left = store.list(Kind::Artifact).await.unwrap();
    assert_eq!(left.len(), 1151);
    assert!(left.iter().all(|object| !mine.owns(&object.id)));
    assert_eq!(store.list(Kind::Proof).await.unwrap().len(), 1);
    assert_eq!(store.list(Kind::Program).await.unwrap(), []);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_upload_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    // Whole, and in parts.
    for part_size in [32 << 20, 1 << 20] {
        let store = slow_store(server.address).await.with_part_size(part_size);
        let upload =
            tokio::spawn(
                async move { store.put(Kind::Artifact, "cancelled", noise(8 << 20)).await },
            );
        bytes_arrive(dir.path(), 1).await;
        upload.abort();
        assert!(upload.await.unwrap_err().is_cancelled());
        eventually("the files are gone", || files(dir.path()).is_empty()).await;
    }
    assert_eq!(server.store().list(Kind::Artifact).await.unwrap(), []);
    server.stop().await;
}
