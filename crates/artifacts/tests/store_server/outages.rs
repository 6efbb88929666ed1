//! A store that goes away and comes back.

use std::time::{Duration, Instant};

use bytes::Bytes;
use provost_artifacts::server::ServeError;
use provost_artifacts::{Kind, S3Store, Store as _};
use provost_test_support::Place;
use tokio::net::TcpListener;

use crate::harness::{
    BUCKET, Server, ServerProcess, bytes_arrive, config, credentials, files, noise, slow_store,
};

#[tokio::test]
async fn a_restart_keeps_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let store = server.store();
    store
        .put(Kind::Program, "p", noise(1_000_000))
        .await
        .unwrap();
    let server = server.stop().await.start().await;
    assert_eq!(
        store.get(Kind::Program, "p").await.unwrap(),
        noise(1_000_000)
    );
    assert_eq!(store.list(Kind::Program).await.unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_store_that_stays_away_is_unavailable() {
    let nobody = Place::new();
    let address = nobody.address();
    let mut config = config(address);
    config.retry_total = Duration::from_secs(1);
    let start = Instant::now();
    let error = S3Store::new(config)
        .get(Kind::Stdin, "a")
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "StoreUnavailable");
    assert!(error.is_transient());
    assert_eq!(
        error.to_string(),
        format!("store {address} does not answer: connection refused")
    );
    assert!(
        start.elapsed() >= Duration::from_millis(300) && start.elapsed() < Duration::from_secs(5)
    );
}

#[tokio::test]
async fn an_outage_is_ridden_out() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let store = server.store();
    store
        .put(Kind::Stdin, "before", Bytes::from_static(b"1"))
        .await
        .unwrap();
    let stopped = server.stop().await;
    let requests = async {
        let put = store.put(Kind::Stdin, "during", Bytes::from_static(b"2"));
        let get = store.get(Kind::Stdin, "before");
        let (put, get, list) = tokio::join!(put, get, store.list(Kind::Stdin));
        put.unwrap();
        assert_eq!(get.unwrap(), "1");
        list.unwrap();
    };
    let restart = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        stopped.start().await
    };
    let ((), server) = tokio::join!(requests, restart);
    assert_eq!(store.get(Kind::Stdin, "during").await.unwrap(), "2");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_in_parts_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let store = slow_store(server.address).await.with_part_size(1 << 20);
    let bytes = noise(10 << 20);
    let upload = tokio::spawn({
        let (store, bytes) = (store.clone(), bytes.clone());
        async move { store.put(Kind::Artifact, "large", bytes).await }
    });
    bytes_arrive(dir.path(), 2).await;
    let server = server.stop().await.start().await;
    upload.await.unwrap().unwrap();
    assert!(store.get(Kind::Artifact, "large").await.unwrap() == bytes);
    assert_eq!(files(dir.path()).len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_leaves_nothing_half_written() {
    let dir = tempfile::tempdir().unwrap();
    let process = ServerProcess::start(dir.path()).await;
    let store = S3Store::new(config(process.place.address()));
    store
        .put(Kind::Artifact, "whole", noise(1000))
        .await
        .unwrap();
    let slow = slow_store(process.place.address()).await;
    let uploads = [("one", 32 << 20), ("parts", 1 << 20)].map(|(id, part_size)| {
        let slow = slow.clone().with_part_size(part_size);
        tokio::spawn(async move { slow.put(Kind::Artifact, id, noise(8 << 20)).await })
    });
    bytes_arrive(dir.path(), 3).await;
    let place = process.place.clone();
    drop(process);
    uploads.iter().for_each(|upload| upload.abort());
    let unfinished = dir.path().join("unfinished");
    assert!(files(&unfinished).len() >= 3);

    let server = Server::start_at(dir.path(), place).await;
    let listed = store.list(Kind::Artifact).await.unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|object| object.id.as_str())
            .collect::<Vec<_>>(),
        ["whole"]
    );
    assert_eq!(files(&unfinished), []);
    assert_eq!(
        store.get(Kind::Artifact, "whole").await.unwrap(),
        noise(1000)
    );
    for id in ["one", "parts"] {
        assert_eq!(
            store.get(Kind::Artifact, id).await.unwrap_err().reason(),
            "ArtifactNotFound"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_folder_has_one_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    server.store().list(Kind::Proof).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = provost_artifacts::server::serve(
        listener,
        dir.path().to_owned(),
        credentials(),
        BUCKET,
        std::future::pending(),
    );
    assert!(matches!(
        second.await.unwrap_err(),
        ServeError::Locked { .. }
    ));
    server.stop().await;
}

#[tokio::test]
async fn what_goes_wrong_is_told_in_plain_words() {
    // Not an S3 server: it hangs up.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hangs_up = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let mut quick = config(address);
    quick.retry_total = Duration::from_millis(300);
    let error = S3Store::new(quick).get(Kind::Stdin, "a").await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("store {address} does not answer: ")),
        "{text}"
    );
    assert!(!text.contains(['{', '}', '"']), "{text}");
    hangs_up.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_fits_the_bound_goes_all_the_same_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let mut narrow = config(server.address);
    narrow.in_flight_bytes = 1 << 20;
    let store = S3Store::new(narrow).with_part_size(1 << 20);
    let objects = (0..6).map(|n| {
        let store = store.clone();
        async move {
            let id = format!("object-{n}");
            store
                .put(Kind::Artifact, &id, noise(3 << 20))
                .await
                .unwrap();
            assert!(store.get(Kind::Artifact, &id).await.unwrap() == noise(3 << 20));
        }
    });
    futures::future::join_all(objects).await;
    server.stop().await;
}
