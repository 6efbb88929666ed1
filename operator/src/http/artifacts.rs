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

use super::{Api, HttpError};
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
    let _permit = api
        .bodies
        .acquire()
        .await
        .map_err(|error| HttpError::Internal(error.to_string()))?;
    let body = body(request).await?;
    elf::validate(&body)?;
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
    let _permit = api
        .bodies
        .acquire()
        .await
        .map_err(|error| HttpError::Internal(error.to_string()))?;
    let body = body(request).await?;
    inputs::check_stdin(&body).map_err(|error| HttpError::Stdin(error.to_string()))?;
    api.inputs.upload_stdin(body).await.map_err(HttpError::from)
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
