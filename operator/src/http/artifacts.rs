//! PUT of programs and stdins.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::timeout;

use super::{Api, HttpError, MAX_PROGRAM_BYTES, MAX_STDIN_BYTES};
use crate::elf;
use crate::inputs;

/// Longest time for an upload.
const UPLOAD: Duration = Duration::from_secs(600);
/// Verb that a user needs to upload: what the upload is for.
const VERB: &str = "create";

#[derive(Serialize)]
struct Stored {
    id: String,
}

pub(super) async fn put_program(
    State(api): State<Api>,
    Path(namespace): Path<String>,
    request: Request,
) -> Response {
    let result = program(&api, &namespace, request).await;
    answer(&api, result)
}

pub(super) async fn put_stdin(
    State(api): State<Api>,
    Path(namespace): Path<String>,
    request: Request,
) -> Response {
    let result = stdin(&api, &namespace, request).await;
    answer(&api, result)
}

async fn program(api: &Api, namespace: &str, request: Request) -> Result<String, HttpError> {
    api.gate
        .check(request.headers(), VERB, namespace, None)
        .await?;
    check_leads(api)?;
    let _place = api.room.take(MAX_PROGRAM_BYTES as u64).await?;
    let body = body(request).await?;
    let check = |body: &[u8]| elf::validate(body).map(|_| ()).map_err(HttpError::from);
    let body = checked(body, check).await?;
    api.inputs
        .upload_program(body)
        .await
        .map_err(HttpError::from)
}

async fn stdin(api: &Api, namespace: &str, request: Request) -> Result<String, HttpError> {
    api.gate
        .check(request.headers(), VERB, namespace, None)
        .await?;
    check_leads(api)?;
    let _place = api.room.take(MAX_STDIN_BYTES as u64).await?;
    let body = body(request).await?;
    let check = |body: &[u8]| {
        inputs::check_stdin(body).map_err(|error| HttpError::Stdin(error.to_string()))
    };
    let body = checked(body, check).await?;
    api.inputs.upload_stdin(body).await.map_err(HttpError::from)
}

/// Gives the body back if it passes `check`, which reads all of it and would keep an async thread from everything else.
async fn checked(
    body: Bytes,
    check: impl FnOnce(&[u8]) -> Result<(), HttpError> + Send + 'static,
) -> Result<Bytes, HttpError> {
    let work = move || check(&body).map(|()| body);
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(HttpError::Internal(error.to_string())),
    }
}

/// Another replica would not know of the upload, and remove it with the next request that used the same bytes.
fn check_leads(api: &Api) -> Result<(), HttpError> {
    if api.leader.is_here() {
        return Ok(());
    }
    let pod = api.leader.pod();
    Err(HttpError::NotLeader { pod })
}

/// Reads the body: only after the token was checked, and not for ever, since few bodies are held at a time.
async fn body(request: Request) -> Result<Bytes, HttpError> {
    match timeout(UPLOAD, Bytes::from_request(request, &())).await {
        Ok(body) => body.map_err(|rejection: BytesRejection| rejection.into()),
        Err(_) => Err(HttpError::Body {
            status: StatusCode::REQUEST_TIMEOUT,
            message: format!("the upload did not end in {} s", UPLOAD.as_secs()),
        }),
    }
}

fn answer(api: &Api, result: Result<String, HttpError>) -> Response {
    api.metrics
        .http(result.as_ref().map_or_else(HttpError::reason, |_| "ok"));
    match result {
        Ok(id) => (StatusCode::CREATED, Json(Stored { id })).into_response(),
        Err(error) => error.into_response(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// On the one thread of this runtime: a check that ran there would never see what the other half sends.
    #[tokio::test]
    async fn a_check_holds_up_nothing_else() {
        let (send, receive) = std::sync::mpsc::channel();
        let check = move |_: &[u8]| {
            let heard = receive.recv_timeout(Duration::from_secs(10));
            heard.map_err(|error| HttpError::Internal(error.to_string()))
        };
        let body = checked(Bytes::from_static(b"body"), check);
        let (body, sent) = tokio::join!(body, async { send.send(()) });
        sent.unwrap();
        assert_eq!(body.unwrap(), "body");
    }

    #[tokio::test]
    async fn what_does_not_pass_is_refused_in_the_checks_words() {
        let refuse = |_: &[u8]| Err(HttpError::Stdin("no stdin".into()));
        let error = checked(Bytes::new(), refuse).await.unwrap_err();
        assert_eq!(error.to_string(), "no stdin");
    }
}
