//! The client side of the routes against a real HTTP/1 server on an in-memory stream.

use std::sync::{Arc, Mutex};

use http_body_util::Full;
use hyper::service::service_fn;
use tokio::io::DuplexStream;

use super::*;

type Seen = Arc<Mutex<Option<(Method, String, http::HeaderMap, Bytes)>>>;

/// A server that keeps the one request it gets and gives this answer.
fn server(status: u16, body: &'static [u8]) -> (DuplexStream, Seen) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let seen = Seen::default();
    let keep = seen.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let keep = keep.clone();
        async move {
            let (head, sent) = request.into_parts();
            let sent = sent.collect().await?.to_bytes();
            *keep.lock().unwrap() = Some((head.method, head.uri.to_string(), head.headers, sent));
            let answer = Response::builder()
                .status(status)
                .body(Full::new(Bytes::from_static(body)));
            Ok::<_, hyper::Error>(answer.unwrap())
        }
    });
    tokio::spawn(
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), service),
    );
    (ours, seen)
}

fn bearer() -> HeaderValue {
    HeaderValue::from_static("Bearer t")
}

#[tokio::test]
async fn an_artifact_goes_up_with_its_length_and_token() {
    let (stream, seen) = server(201, br#"{"id":"program_ab"}"#);
    let data = Bytes::from(vec![7; 1_000_000]);
    let moved = Moved::default();
    let path = "/v1/namespaces/a/artifacts/program";
    let answer = send(stream, Method::PUT, path, bearer(), data.clone(), &moved)
        .await
        .unwrap();
    assert_eq!(read_id(answer).await.unwrap(), "program_ab");
    let (method, uri, headers, body) = seen.lock().unwrap().take().unwrap();
    assert_eq!((method, uri.as_str()), (Method::PUT, path));
    assert_eq!(headers["authorization"], "Bearer t");
    assert_eq!(headers["content-length"], "1000000");
    assert_eq!(body, data);
    assert_eq!(moved.total(), 1_000_000);
}

#[tokio::test]
async fn a_proof_comes_down() {
    let (stream, _) = server(200, b"proof bytes");
    let moved = Moved::default();
    let mut out = Vec::new();
    let answer = send(
        stream,
        Method::GET,
        "/v1/namespaces/a/proofs/x",
        bearer(),
        Bytes::new(),
        &moved,
    );
    let length = read_proof(answer.await.unwrap(), &moved, &mut out)
        .await
        .unwrap();
    assert_eq!((length, out.as_slice()), (11, b"proof bytes".as_slice()));
}

#[tokio::test]
async fn a_refusal_keeps_class_and_message() {
    let body = br#"{"reason":"Forbidden","message":"may not create proofrequests in a"}"#;
    let (stream, _) = server(403, body);
    let moved = Moved::default();
    let error = send(stream, Method::PUT, "/x", bearer(), Bytes::new(), &moved);
    let error = error.await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Forbidden: may not create proofrequests in a"
    );
    assert_eq!(error.code(), 1);
}

#[tokio::test]
async fn a_connection_that_dies_is_unreachable() {
    let (ours, theirs) = tokio::io::duplex(1024);
    drop(theirs);
    let moved = Moved::default();
    let error = send(ours, Method::GET, "/x", bearer(), Bytes::new(), &moved);
    assert_eq!(
        error.await.unwrap_err().code(),
        crate::error::EXIT_UNREACHABLE
    );
}

#[test]
fn other_refusals() {
    assert_eq!(
        refusal(StatusCode::NOT_FOUND, b"{}").code(),
        crate::error::EXIT_NOT_FOUND
    );
    let text = refusal(StatusCode::BAD_GATEWAY, b"<html>").to_string();
    assert_eq!(text, "Http502: <html>");
    let busy = br#"{"reason":"StoreUnavailable","message":"m"}"#;
    assert_eq!(
        refusal(StatusCode::SERVICE_UNAVAILABLE, busy).to_string(),
        "StoreUnavailable: m"
    );
}

#[tokio::test]
async fn a_replica_that_does_not_lead_is_none_to_talk_to() {
    let answer = br#"{"reason":"NotLeader","message":"this replica does not lead"}"#;
    let (stream, _) = server(503, answer);
    let (path, moved) = ("/v1/namespaces/a/artifacts/stdin", Moved::default());
    let sent = send(stream, Method::PUT, path, bearer(), Bytes::new(), &moved).await;
    let Err(CliError::Unreachable(text)) = sent.map(|_| ()) else {
        panic!("not unreachable")
    };
    assert!(
        text.ends_with("does not lead; nothing was stored, try again"),
        "{text}"
    );
}
