//! PUT of programs and stdins.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Json};
use serde::Serialize;
use tokio::time::timeout;
use tokio_stream::{Elapsed, StreamExt as _};

use super::room::{Place, Room};
use super::{Api, HttpError, MAX_PROGRAM_BYTES, MAX_STDIN_BYTES};
use crate::elf;
use crate::inputs::{self, InputsError};
use crate::leadership::Leader;

/// Longest time for an upload.
const UPLOAD: Duration = Duration::from_secs(600);
/// Longest wait for its next piece: a client whose machine is gone says nothing any more, and holds room that others wait for.
const PIECE: Duration = Duration::from_secs(60);
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
    check_leads(&api.leader)?;
    let (body, _place) = body(&api.rooms.bodies, request, MAX_PROGRAM_BYTES).await?;
    let check = |body: &[u8]| elf::validate(body).map(|_| ()).map_err(HttpError::from);
    let body = checked(body, check).await?;
    // Its encoding, and what that is compressed to.
    let _packing = api.rooms.packing.take(2 * body.len() as u64).await?;
    promised(&api.leader, api.inputs.upload_program(body)).await
}

async fn stdin(api: &Api, namespace: &str, request: Request) -> Result<String, HttpError> {
    api.gate
        .check(request.headers(), VERB, namespace, None)
        .await?;
    check_leads(&api.leader)?;
    let (body, _place) = body(&api.rooms.bodies, request, MAX_STDIN_BYTES).await?;
    let check = |body: &[u8]| {
        inputs::check_stdin(body).map_err(|error| HttpError::Stdin(error.to_string()))
    };
    let body = checked(body, check).await?;
    // What it is compressed to.
    let _packing = api.rooms.packing.take(body.len() as u64).await?;
    promised(&api.leader, api.inputs.upload_stdin(body)).await
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
fn check_leads(leader: &Leader) -> Result<(), HttpError> {
    if leader.is_here() {
        return Ok(());
    }
    let pod = leader.pod();
    Err(HttpError::NotLeader { pod })
}

/// The id of what `upload` stores, if this replica still leads by then: a body takes its time.
async fn promised(
    leader: &Leader,
    upload: impl Future<Output = Result<String, InputsError>>,
) -> Result<String, HttpError> {
    let id = upload.await?;
    check_leads(leader)?;
    Ok(id)
}

/// Reads a body of at most `most` bytes once there is room for it: only after the token was checked, and not for ever, since few bodies
/// are held at a time.
async fn body(room: &Room, request: Request, most: usize) -> Result<(Bytes, Place), HttpError> {
    let place = room.take(length(&request, most)).await?;
    let late = |limit: &str, within: Duration| HttpError::Body {
        status: StatusCode::REQUEST_TIMEOUT,
        message: format!("{limit} {} s", within.as_secs()),
    };
    match timeout(UPLOAD, Bytes::from_request(patient(request), &())).await {
        Ok(Ok(body)) => Ok((body, place)),
        Ok(Err(rejection)) if stood_still(&rejection) => {
            Err(late("nothing of the upload came for", PIECE))
        }
        Ok(Err(rejection)) => Err(rejection.into()),
        Err(_) => Err(late("the upload did not end in", UPLOAD)),
    }
}

/// The same request, with a body that breaks off when it comes to a standstill.
fn patient(request: Request) -> Request {
    request.map(|body| {
        let pieces = body.into_data_stream().timeout(PIECE);
        let pieces = futures::StreamExt::map(pieces, |piece| match piece {
            Ok(piece) => piece.map_err(BoxError::from),
            Err(elapsed) => Err(elapsed.into()),
        });
        Body::from_stream(pieces)
    })
}

fn stood_still(rejection: &BytesRejection) -> bool {
    let mut error: Option<&dyn Error> = Some(rejection);
    while let Some(cause) = error {
        if cause.is::<Elapsed>() {
            return true;
        }
        error = cause.source();
    }
    false
}

/// Most bytes that are read of the body of `request`: as many as it announces, of which hyper lets no more through, and where it announces
/// nothing, or too much, the `most` that a body may have.
fn length(request: &Request, most: usize) -> u64 {
    let most = most as u64;
    let announced = request.body().size_hint().upper();
    announced.map_or(most, |announced| announced.min(most))
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
    use axum::Router;
    use axum::routing::put;
    use futures::FutureExt;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::watch;

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

    #[tokio::test]
    async fn what_is_stored_after_the_lead_was_lost_is_not_promised() {
        let (leads, watched) = watch::channel(true);
        let (_, holder) = watch::channel(Some("operator-7_00ff".to_owned()));
        let leader = Leader::new(watched, holder);
        let upload = async || Ok::<_, InputsError>("program_1".to_owned());
        let id = promised(&leader, upload()).await.unwrap();
        assert_eq!(id, "program_1");
        let late = async {
            leads.send_replace(false);
            upload().await
        };
        let error = promised(&leader, late).await.unwrap_err();
        assert_eq!(error.reason(), "NotLeader");
        assert!(error.to_string().contains("pod operator-7,"), "{error}");
    }

    /// How much of a room of 4 MiB a body takes that may have 3, and how many bytes arrive.
    async fn told(State(room): State<Room>, request: Request) -> String {
        let (body, _place) = body(&room, request, 3 << 20).await.unwrap();
        let mut free = Vec::new();
        while let Some(place) = room.take(1).now_or_never() {
            free.push(place);
        }
        format!("{} MiB for {} bytes", 4 - free.len(), body.len())
    }

    /// Over a connection, since it is hyper that tells where a body ends.
    #[tokio::test]
    async fn a_body_takes_the_room_that_it_announces() {
        let routes = Router::new().route("/", put(told));
        let routes = routes.with_state(Room::new(4));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        for (head, body, said) in [
            ("content-length: 5", "hello, and more", "1 MiB for 5 bytes"),
            (
                "transfer-encoding: chunked",
                "5\r\nhello\r\n0\r\n\r\n",
                "3 MiB for 5 bytes",
            ),
        ] {
            let mut client = TcpStream::connect(address).await.unwrap();
            let request = format!(
                "PUT / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n{head}\r\n\r\n{body}"
            );
            client.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with(said), "{answer}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_is_given_up() {
        let room = Room::new(1);
        let first = futures::stream::iter([Ok::<_, BoxError>("abc")]);
        let pieces = futures::StreamExt::chain(first, futures::stream::pending());
        let began = tokio::time::Instant::now();
        let error = body(&room, Request::new(Body::from_stream(pieces)), 10).await;
        let HttpError::Body { status, message } = error.err().unwrap() else {
            panic!("another error")
        };
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(message, "nothing of the upload came for 60 s");
        assert!(began.elapsed() < 2 * PIECE);
        let slow = futures::stream::unfold(0, |n| async move {
            tokio::time::sleep(PIECE * 5 / 6).await;
            (n < 3).then_some((Ok::<_, BoxError>("ab"), n + 1))
        });
        let (body, _) = body(&room, Request::new(Body::from_stream(slow)), 10)
            .await
            .unwrap_or_else(|_| panic!("refused"));
        assert_eq!(body, "ababab");
    }

    #[test]
    fn a_body_that_announces_too_much_takes_what_it_may_have() {
        let length = |body| length(&Request::new(body), 10);
        assert_eq!(length(Body::from(vec![0u8; 10])), 10);
        assert_eq!(length(Body::from(vec![0u8; 11])), 10);
        assert_eq!(length(Body::empty()), 0);
    }
}
