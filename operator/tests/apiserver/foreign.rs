//! A client to whom the API server seems to hold what another version wrote.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body as Chunks;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http::{Method, Request};
use kube::Client;
use kube::client::Body;

/// Texts that are read, and what is read in their place.
pub type Words = Vec<(&'static str, &'static str)>;

/// Everything goes through, but what is read has other words. Only this client is concerned, not the tests that run beside it.
pub fn foreign(client: Client, namespace: &str, words: Words) -> Client {
    let (client, words) = (Arc::new(client), Arc::new(words));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, words) = (client.clone(), words.clone());
        async move {
            let reads = request.method() == Method::GET;
            let answer = client.send(request).await?;
            Ok::<_, kube::Error>(match reads {
                true => answer.map(|body| translated(body, words)),
                false => answer.map(Chunks::new),
            })
        }
    });
    Client::new(service, namespace)
}

/// Line by line: each is an event of a watch, or else a whole answer.
fn translated(body: Body, words: Arc<Words>) -> Chunks {
    let chunks = Chunks::new(body).into_data_stream();
    let lines = stream::unfold((chunks, BytesMut::new()), async |(mut chunks, mut held)| {
        loop {
            let end = held.iter().rposition(|&byte| byte == b'\n');
            if let Some(end) = end {
                return Some((held.split_to(end + 1).freeze(), (chunks, held)));
            }
            match chunks.next().await {
                Some(chunk) => held.extend_from_slice(&chunk.unwrap()),
                None if held.is_empty() => return None,
                None => return Some((held.split().freeze(), (chunks, held))),
            }
        }
    });
    Chunks::from_stream(lines.map(move |line| Ok::<_, Infallible>(translate(&line, &words))))
}

fn translate(line: &Bytes, words: &Words) -> Bytes {
    let mut text = String::from_utf8(line.to_vec()).unwrap();
    for (theirs, ours) in words {
        text = text.replace(theirs, ours);
    }
    text.into()
}
