//! Whatever is wrong is found and named.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use provost_artifacts::{Kind, S3Store, Store as _, StoreError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Server, config, files, noise, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_needs_no_keys_and_nothing_else_goes_without() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    for (path, status) in [
        ("/healthz", "200 OK"),
        ("/healthz?list-type=2", "403 Forbidden"),
        ("/provost/programs/a", "403 Forbidden"),
    ] {
        let mut client = TcpStream::connect(server.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: store\r\nconnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        let expected = format!("HTTP/1.1 {status}\r\n");
        assert!(answer.starts_with(&expected), "{path}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn wrong_keys_are_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let mut wrong_secret = config(server.address);
    wrong_secret.secret_key = "guess".to_owned();
    let mut unknown = config(server.address);
    unknown.access_key = "somebody".to_owned();
    for config in [wrong_secret, unknown] {
        let store = S3Store::new(config);
        let errors = [
            store.get(Kind::Stdin, "a").await.unwrap_err(),
            store.head(Kind::Stdin, "a").await.unwrap_err(),
            store.list(Kind::Stdin).await.unwrap_err(),
            store.put(Kind::Stdin, "a", noise(1000)).await.unwrap_err(),
            // Refused while it is being sent.
            store
                .put(Kind::Stdin, "a", noise(8 << 20))
                .await
                .unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, StoreError::Denied { .. }), "{error}");
        }
    }
    assert_eq!(files(dir.path()), []);
    server.stop().await;
}

#[tokio::test]
async fn another_bucket_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let mut config = config(server.address);
    config.bucket = "another".to_owned();
    let error = S3Store::new(config)
        .get(Kind::Stdin, "a")
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "StoreRejected");
    assert!(error.to_string().contains("one bucket, provost"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn a_flipped_bit_on_disk_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let store = server.store();
    store.put(Kind::Proof, "p", noise(50_000)).await.unwrap();
    let (path, _) = files(dir.path()).pop().unwrap();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 4096 + 12_345).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 4096 + 12_345).unwrap();
    let error = store.get(Kind::Proof, "p").await.unwrap_err();
    assert_eq!(error.reason(), "ArtifactCorrupt");
    assert!(
        error
            .to_string()
            .starts_with("proofs/p is damaged: its SHA-256 is "),
        "{error}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_torn_file_is_noticed_listed_and_can_be_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let store = server.store();
    for len in [0, 4096, 54_095] {
        store.put(Kind::Proof, "p", noise(50_000)).await.unwrap();
        let (path, _) = files(dir.path()).pop().unwrap();
        OpenOptions::new()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(len)
            .unwrap();
        assert_eq!(
            store.get(Kind::Proof, "p").await.unwrap_err().reason(),
            "ArtifactCorrupt"
        );
        assert_eq!(
            store.head(Kind::Proof, "p").await.unwrap_err().reason(),
            "ArtifactCorrupt"
        );
        assert_eq!(store.list(Kind::Proof).await.unwrap().len(), 1);
    }
    store.put(Kind::Proof, "p", noise(10)).await.unwrap();
    assert_eq!(store.get(Kind::Proof, "p").await.unwrap(), noise(10));
    server.stop().await;
}

/// On a small file system of its own; needs the right to mount one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_as_such_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let mut mount = Command::new("mount");
    mount
        .args(["-t", "tmpfs", "-o", "size=6m", "provost-test"])
        .arg(dir.path())
        .stderr(Stdio::null());
    if !run(&mut mount).await.is_ok_and(|status| status.success()) {
        println!("not run: no right to mount a tmpfs");
        return;
    }
    let _unmount = Unmount(dir.path().to_owned());
    let server = Server::start(dir.path()).await;
    let mut config = config(server.address);
    config.retry_total = Duration::from_secs(1);
    let store = S3Store::new(config).with_part_size(4 << 20);
    store
        .put(Kind::Artifact, "fits", noise(3 << 20))
        .await
        .unwrap();
    // Whole, and in parts.
    for len in [4 << 20, 10 << 20] {
        let error = store
            .put(Kind::Artifact, "too-much", noise(len))
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        assert!(error.is_transient());
    }
    assert_eq!(store.list(Kind::Artifact).await.unwrap().len(), 1);
    store.delete(Kind::Artifact, "fits").await.unwrap();
    store
        .put(Kind::Artifact, "too-much", noise(4 << 20))
        .await
        .unwrap();
    store
        .put(Kind::Artifact, "small", Bytes::from_static(b"x"))
        .await
        .unwrap();
    server.stop().await;
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        // Lazily: the server may still have a file open if the test failed.
        let mut unmount = Command::new("umount");
        unmount.arg("--lazy").arg(&self.0);
        let _ = futures::executor::block_on(run(&mut unmount));
    }
}
