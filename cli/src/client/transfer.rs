//! Artifacts up, proofs down: the two routes of the operator's HTTP API.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};

use super::kube::Cluster;
use super::token;
use super::tunnel::{Replica, Tunnel};
use super::upload::{Moved, Upload};
use crate::error::{CliError, chain};

/// How long nothing may move. An upload waits for others that the operator holds in memory, and is
/// compressed and stored before it is answered.
const STALL: Duration = Duration::from_secs(240);

/// The reason of a replica that may not take what it was sent.
const NOT_LEADER: &str = "NotLeader";

/// No answer of the API other than a proof is larger.
const ANSWER_LIMIT: usize = 64 * 1024;

/// What an uploaded artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArtifactKind {
    /// An ELF.
    Program,
    /// SP1Stdin in bincode.
    Stdin,
}

impl ArtifactKind {
    /// Its segment of the route.
    pub(crate) fn segment(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Stdin => "stdin",
        }
    }
}

/// Stores bytes for the namespace's proofs and returns their id.
pub(crate) async fn put_artifact(
    cluster: &Cluster,
    kind: ArtifactKind,
    data: Bytes,
) -> Result<String, CliError> {
    let authorization = token::authorization(cluster).await?;
    let path = format!(
        "/v1/namespaces/{}/artifacts/{}",
        cluster.namespace,
        kind.segment()
    );
    let (mut tunnel, stream) = Tunnel::open(cluster, Replica::Leader).await?;
    let moved = Moved::default();
    let exchange = async {
        let answer = send(stream, Method::PUT, &path, authorization, data, &moved).await?;
        read_id(answer).await
    };
    guard(exchange, &moved, &mut tunnel).await
}

/// Writes the proof's bytes (bincode of SP1's `ProofFromNetwork`) and returns how many there were.
pub(crate) async fn get_proof(
    cluster: &Cluster,
    name: &str,
    moved: &Moved,
    into: &mut (dyn Write + Send),
) -> Result<u64, CliError> {
    let authorization = token::authorization(cluster).await?;
    let path = format!("/v1/namespaces/{}/proofs/{name}", cluster.namespace);
    let (mut tunnel, stream) = Tunnel::open(cluster, Replica::Any).await?;
    let exchange = async {
        let answer = send(
            stream,
            Method::GET,
            &path,
            authorization,
            Bytes::new(),
            moved,
        )
        .await?;
        read_proof(answer, moved, into).await
    };
    guard(exchange, moved, &mut tunnel).await
}

/// Runs an exchange until it ends or stalls. A broken connection is told with the kubelet's reason.
async fn guard<T>(
    exchange: impl Future<Output = Result<T, CliError>>,
    moved: &Moved,
    tunnel: &mut Tunnel,
) -> Result<T, CliError> {
    let result = tokio::select! {
        result = exchange => result,
        () = moved.stalled(STALL) => Err(CliError::Unreachable(format!("nothing moved for {} s", STALL.as_secs()))),
    };
    match result {
        Err(CliError::Unreachable(text)) => {
            let said = tunnel
                .complaint()
                .await
                .map(|c| format!(" ({})", c.trim()))
                .unwrap_or_default();
            Err(CliError::Unreachable(format!(
                "{text}{said}, talking to pod {}",
                tunnel.pod
            )))
        }
        other => other,
    }
}

/// Sends one request over the stream and returns a good answer, or the error that the answer tells.
async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: Method,
    path: &str,
    authorization: HeaderValue,
    data: Bytes,
    moved: &Moved,
) -> Result<Response<Incoming>, CliError> {
    let lost = |e: hyper::Error| CliError::Unreachable(chain(&e));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(lost)?;
    // It ends with the stream; what went wrong with it reaches the request.
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "provost-operator")
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_TYPE, "application/octet-stream")
        .body(Upload::new(data, moved.clone()))
        .map_err(|e| CliError::usage(format!("{path} is not a path: {e}")))?;
    let answer = sender.send_request(request).await.map_err(lost)?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_LIMIT)
        .collect()
        .await;
    let body = body
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    Err(refusal(status, &body))
}

#[derive(Deserialize)]
struct Refusal {
    reason: String,
    message: String,
}

/// The operator's error as ours.
fn refusal(status: StatusCode, body: &[u8]) -> CliError {
    let Refusal { reason, message } = serde_json::from_slice(body).unwrap_or_else(|_| Refusal {
        reason: format!("Http{}", status.as_u16()),
        message: String::from_utf8_lossy(body).trim().to_owned(),
    });
    if status == StatusCode::NOT_FOUND {
        return CliError::NotFound(format!("{reason}: {message}"));
    }
    if reason == NOT_LEADER {
        // The leader changed between the look for its pod and the request.
        return CliError::Unreachable(format!("{message}; nothing was stored, try again"));
    }
    CliError::Failed { reason, message }
}

async fn read_id(answer: Response<Incoming>) -> Result<String, CliError> {
    #[derive(Deserialize)]
    struct Stored {
        id: String,
    }
    let body = Limited::new(answer.into_body(), ANSWER_LIMIT)
        .collect()
        .await
        .map_err(|e| CliError::Unreachable(chain(e.as_ref())))?
        .to_bytes();
    let stored: Stored = serde_json::from_slice(&body).map_err(|e| {
        CliError::failed(
            "UnexpectedAnswer",
            format!("no artifact id in the answer: {e}"),
        )
    })?;
    Ok(stored.id)
}

async fn read_proof(
    answer: Response<Incoming>,
    moved: &Moved,
    into: &mut (dyn Write + Send),
) -> Result<u64, CliError> {
    let mut body = answer.into_body();
    let mut length = 0;
    // hyper reports a body that ends before its Content-Length as an error.
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| CliError::Unreachable(chain(&e)))?;
        if let Ok(data) = frame.into_data() {
            into.write_all(&data)
                .map_err(|e| CliError::file("writing the proof", e))?;
            length += data.len() as u64;
            moved.add(data.len() as u64);
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests;
