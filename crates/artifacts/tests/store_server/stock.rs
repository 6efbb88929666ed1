//! A client that is not ours: the SDK with its defaults, checksums behind the bytes and retries included.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use provost_artifacts::{Kind, Store as _};

use crate::harness::{BUCKET, Server, config, files, noise};

fn client(server: &Server) -> Client {
    let config = config(server.address);
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
            aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https();
    let sdk = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .endpoint_url(config.endpoint)
        .region(Region::new(config.region))
        .credentials_provider(Credentials::new(
            config.access_key,
            config.secret_key,
            None,
            None,
            "test",
        ))
        .force_path_style(true)
        .build();
    Client::from_conf(sdk)
}

#[tokio::test]
async fn writes_and_reads_with_checksums_and_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let client = client(&server);
    client.head_bucket().bucket(BUCKET).send().await.unwrap();
    client.create_bucket().bucket(BUCKET).send().await.unwrap();

    let bytes = noise(300_000);
    let algorithms = [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Sha256,
    ];
    for algorithm in algorithms.into_iter().map(Some).chain([None]) {
        let put = client
            .put_object()
            .bucket(BUCKET)
            .key("stdins/stock")
            .set_checksum_algorithm(algorithm);
        let put = put
            .content_type("application/x-test")
            .metadata("origin", "stock");
        put.body(ByteStream::from(bytes.clone()))
            .send()
            .await
            .unwrap();
    }
    // From a file, so that the length is known and the checksum comes behind the bytes.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let body = ByteStream::from_path(file.path()).await.unwrap();
    client
        .put_object()
        .bucket(BUCKET)
        .key("stdins/file")
        .body(body)
        .send()
        .await
        .unwrap();

    for key in ["stdins/stock", "stdins/file"] {
        for (range, part) in [
            ("bytes=0-9", 0..10),
            ("bytes=100-", 100..300_000),
            ("bytes=-5", 299_995..300_000),
            ("bytes=299999-400000", 299_999..300_000),
        ] {
            let got = client
                .get_object()
                .bucket(BUCKET)
                .key(key)
                .range(range)
                .send()
                .await
                .unwrap();
            assert_eq!(
                got.content_range().unwrap(),
                format!("bytes {}-{}/300000", part.start, part.end - 1)
            );
            assert_eq!(got.content_length(), Some(part.len() as i64));
            assert_eq!(got.body.collect().await.unwrap().into_bytes(), bytes[part]);
        }
    }
    let head = client
        .head_object()
        .bucket(BUCKET)
        .key("stdins/stock")
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_length(), Some(300_000));
    assert_eq!(head.content_type(), Some("application/x-test"));
    assert_eq!(head.metadata().unwrap()["origin"], "stock");
    assert!(head.e_tag().is_some() && head.last_modified().is_some());
    let beyond = client
        .get_object()
        .bucket(BUCKET)
        .key("stdins/stock")
        .range("bytes=300000-")
        .send()
        .await;
    assert_eq!(beyond.unwrap_err().code(), Some("InvalidRange"));

    // Ours reads it, and verifies it although the writer recorded no checksum.
    assert_eq!(
        server.store().get(Kind::Stdin, "stock").await.unwrap(),
        bytes
    );
    assert!(
        server
            .store()
            .head(Kind::Stdin, "stock")
            .await
            .unwrap()
            .unwrap()
            .sha256
            .is_some()
    );
    server.stop().await;
}

#[tokio::test]
async fn uploads_in_small_parts_out_of_order() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let client = client(&server);
    let upload = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("proofs/p")
        .send()
        .await
        .unwrap();
    let upload_id = upload.upload_id().unwrap();
    let mut parts = Vec::new();
    // Part 3 is sent twice, part 5 is not chosen.
    for (number, len) in [(3, 10), (5, 70), (1, 1_500_000), (3, 2_000_000)] {
        let part = client
            .upload_part()
            .bucket(BUCKET)
            .key("proofs/p")
            .upload_id(upload_id)
            .part_number(number);
        let done = part
            .body(ByteStream::from(noise(len)))
            .send()
            .await
            .unwrap();
        parts.push(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(done.e_tag)
                .build(),
        );
    }
    let complete = |parts: Vec<CompletedPart>| {
        client
            .complete_multipart_upload()
            .bucket(BUCKET)
            .key("proofs/p")
            .upload_id(upload_id)
            .multipart_upload(
                CompletedMultipartUpload::builder()
                    .set_parts(Some(parts))
                    .build(),
            )
            .send()
    };
    let replaced = complete(vec![parts[2].clone(), parts[0].clone()]).await;
    assert_eq!(replaced.unwrap_err().code(), Some("InvalidPart"));
    let backwards = complete(vec![parts[3].clone(), parts[2].clone()]).await;
    assert_eq!(backwards.unwrap_err().code(), Some("InvalidPartOrder"));
    complete(vec![parts[2].clone(), parts[3].clone()])
        .await
        .unwrap();
    let expected = [noise(1_500_000), noise(2_000_000)].concat();
    assert_eq!(
        server.store().get(Kind::Proof, "p").await.unwrap(),
        expected
    );
    assert_eq!(files(dir.path()).len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn aborts_and_odd_keys_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let client = client(&server);
    let upload = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("proofs/p")
        .send()
        .await
        .unwrap();
    let upload_id = upload.upload_id().unwrap();
    let part = client
        .upload_part()
        .bucket(BUCKET)
        .key("proofs/p")
        .upload_id(upload_id)
        .part_number(1);
    part.body(ByteStream::from(noise(1000)))
        .send()
        .await
        .unwrap();
    assert_eq!(files(dir.path()).len(), 1);
    client
        .abort_multipart_upload()
        .bucket(BUCKET)
        .key("proofs/p")
        .upload_id(upload_id)
        .send()
        .await
        .unwrap();
    assert_eq!(files(dir.path()), []);

    for key in [
        "../../escape",
        "a/../../escape",
        "/etc/passwd",
        "a/%2e%2e/b",
        "plain",
        "ü/ö",
    ] {
        let put = client
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(ByteStream::from_static(b"x"));
        match put.send().await {
            Ok(_) => {
                let listed = client
                    .list_objects_v2()
                    .bucket(BUCKET)
                    .send()
                    .await
                    .unwrap();
                assert_eq!(listed.contents()[0].key(), Some(key));
                client
                    .delete_object()
                    .bucket(BUCKET)
                    .key(key)
                    .send()
                    .await
                    .unwrap();
            }
            Err(error) => println!("{key:?} is refused: {:?}", error.code()),
        }
        assert_eq!(files(dir.path()), [], "{key:?}");
        assert_eq!(
            files(dir.path().parent().unwrap())
                .iter()
                .filter(|(p, _)| p.ends_with("escape"))
                .count(),
            0
        );
    }
    let long = "k".repeat(300);
    let put = client
        .put_object()
        .bucket(BUCKET)
        .key(long)
        .body(ByteStream::from_static(b"x"))
        .send()
        .await;
    assert_eq!(put.unwrap_err().code(), Some("KeyTooLongError"));
    assert_eq!(files(dir.path()), []);
    server.stop().await;
}
