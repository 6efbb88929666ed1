//! GET of finished proofs.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use kube::api;
use provost_artifacts::Kind;
use provost_crds::{Mode, ProofOutput, ProofRequest};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use super::room::{Place, Room};
use super::{Api, HttpError};
use crate::inputs::ProofReader;

/// Verb that a user needs to download.
const VERB: &str = "get";
/// Longest wait for the API server's answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for a client to take a piece of a proof.
const STALL: Duration = Duration::from_secs(60);

pub(super) async fn get_proof(
    State(api): State<Api>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let result = proof(&api, &namespace, &name, &headers).await;
    api.metrics
        .http(result.as_ref().map_or_else(HttpError::reason, |_| "ok"));
    result.unwrap_or_else(IntoResponse::into_response)
}

async fn proof(
    api: &Api,
    namespace: &str,
    name: &str,
    headers: &HeaderMap,
) -> Result<Response, HttpError> {
    api.gate.check(headers, VERB, namespace, Some(name)).await?;
    let request = find(api, namespace, name).await?;
    let proof = request
        .status
        .as_ref()
        .and_then(|s| s.proof.as_ref())
        .filter(|_| request.succeeded());
    let Some(proof) = proof else {
        return Err(HttpError::NoProof(why_not(&request)));
    };
    let place = room_for(&api.rooms.proofs, proof).await?;
    let proof = api.inputs.open_proof(&proof.artifact).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, proof.length().to_string()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.proof\""),
        ),
    ];
    Ok((headers, send(proof, place)).into_response())
}

/// Room for what is stored of the proof: that is all of it that is ever held.
async fn room_for(room: &Room, proof: &ProofOutput) -> Result<Place, HttpError> {
    let (size, most) = (proof.size_bytes.unsigned_abs(), room.bytes());
    if size > most {
        let key = Kind::Proof.key(&proof.artifact);
        return Err(HttpError::ProofTooLarge { size, most, key });
    }
    room.take(size).await
}

/// The proof as a body that is decoded as it is read. Its place in the room is free again when it was read, when the client has gone,
/// or when it takes nothing any more: then the body ends before its Content-Length, which is an error to the client.
fn send(mut proof: ProofReader, place: Place) -> Body {
    let (pieces, body) = mpsc::channel(1);
    tokio::spawn(async move {
        let _place = place;
        loop {
            match proof.next().await {
                Ok(Some((piece, rest))) => {
                    if pieces.send_timeout(Ok(piece), STALL).await.is_err() {
                        return;
                    }
                    proof = rest;
                }
                Ok(None) => return,
                Err(error) => {
                    // Who does not take it sees a body that is too short.
                    let _ = pieces.send_timeout(Err(error), STALL).await;
                    return;
                }
            }
        }
    });
    Body::from_stream(ReceiverStream::new(body))
}

async fn find(api: &Api, namespace: &str, name: &str) -> Result<ProofRequest, HttpError> {
    let requests: api::Api<ProofRequest> = api::Api::namespaced(api.client.clone(), namespace);
    let found = timeout(TIMEOUT, requests.get_opt(name)).await;
    let found =
        found.map_err(|_| HttpError::Api(format!("no answer in {} s", TIMEOUT.as_secs())))?;
    found
        .map_err(|error| HttpError::Api(error.to_string()))?
        .ok_or_else(|| HttpError::NoProofRequest {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
}

fn why_not(request: &ProofRequest) -> String {
    match request.spec.mode {
        Mode::Execute if request.terminal() => {
            "mode Execute makes no proof: see status.execution".into()
        }
        _ if request.terminal() => format!(
            "there is no proof, the request ended as {}: {}",
            request.state(),
            request.message()
        ),
        _ => format!(
            "the proof is not finished, the request is {}: {}",
            request.state(),
            request.message()
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use axum::body::to_bytes;
    use futures::FutureExt;
    use provost_artifacts::{MemoryStore, Store, codec};
    use provost_crds::ProofRequestSpec;

    use super::*;
    use crate::inputs::Inputs;
    use crate::metrics::Metrics;

    const MIB: usize = 1 << 20;

    /// A proof of some MiB, and its reader.
    async fn stored(mib: usize) -> (Vec<u8>, ProofReader) {
        let proof: Vec<u8> = (0..mib * MIB).map(|n| (n / 3) as u8).collect();
        let store = Arc::new(MemoryStore::new());
        let at_rest = codec::compress(&proof).unwrap();
        store.put(Kind::Proof, "p", at_rest.into()).await.unwrap();
        let inputs = Inputs::new(store, Metrics::new());
        (proof, inputs.open_proof("p").await.unwrap())
    }

    /// Whether all of the room is free.
    fn free(room: &Room) -> bool {
        room.take(room.bytes()).now_or_never().is_some()
    }

    async fn until_free(room: &Room) {
        while !free(room) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_proof_holds_its_room_until_it_was_read() {
        let (proof, reader) = stored(3).await;
        let room = Room::new(4);
        let body = send(reader, room.take(1).await.unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!free(&room));
        assert_eq!(to_bytes(body, usize::MAX).await.unwrap(), proof);
        until_free(&room).await;
    }

    #[tokio::test]
    async fn a_client_that_goes_leaves_its_room_to_others() {
        let (_, reader) = stored(3).await;
        let room = Room::new(4);
        drop(send(reader, room.take(1).await.unwrap()));
        until_free(&room).await;
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_leaves_its_room_to_others() {
        let (proof, reader) = stored(3).await;
        let room = Room::new(4);
        let body = send(reader, room.take(1).await.unwrap());
        // Two pieces are decoded by then: one waits in the channel, one for its place there.
        tokio::time::sleep(Duration::from_millis(200)).await;
        tokio::time::pause();
        let given_up = tokio::time::timeout(2 * STALL, until_free(&room));
        given_up.await.unwrap();
        let got = to_bytes(body, usize::MAX).await.unwrap();
        assert!(got.len() < proof.len() && proof.starts_with(&got));
    }

    #[tokio::test]
    async fn a_proof_that_there_is_no_room_for_is_named() {
        let mut proof = ProofOutput {
            artifact: "p".into(),
            size_bytes: 4 << 20,
            ..ProofOutput::default()
        };
        let room = Room::new(4);
        assert!(room_for(&room, &proof).await.is_ok());
        proof.size_bytes += 1;
        let error = room_for(&room, &proof).await.err().unwrap();
        assert_eq!(error.reason(), "TooLarge");
        let text = error.to_string();
        assert!(
            text.contains("4194305 bytes at rest") && text.contains("proofs/p"),
            "{text}"
        );
    }

    #[test]
    fn a_missing_proof_is_explained() {
        let request = ProofRequest::new("p", ProofRequestSpec::default());
        assert!(why_not(&request).contains("not finished, the request is Pending"));
    }
}
