//! The consumer's end of a task's message channel.

use proto::message_stream_response::Message;
use provost_proto::worker as proto;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;

use super::channel::{Backoff, Stub, is_transient};

/// Hands each message of `task_id` to `out` once and in order, across broken streams, until the producer is final.
/// Dropping `out` is what tells SP1 that the channel has ended, so that happens at EndOfStream alone: ending early
/// would make a proof of too few shards. When the coordinator refuses for good, this waits for the task's own abort.
pub(super) async fn receive(
    mut stub: Stub,
    worker_id: String,
    task_id: String,
    out: mpsc::UnboundedSender<Vec<u8>>,
) {
    let mut offset = 0;
    let mut backoff = Backoff::default();
    while !out.is_closed() {
        let request = proto::SubscribeTaskMessagesRequest {
            worker_id: worker_id.clone(),
            task_id: task_id.clone(),
            start_offset: offset,
        };
        match stub.subscribe_task_messages(request).await {
            Ok(response) => {
                let mut stream = response.into_inner();
                while let Some(Ok(response)) = tokio::select! {
                    item = stream.next() => item,
                    () = out.closed() => return,
                } {
                    match response.message {
                        Some(Message::Payload(payload)) => {
                            offset += 1;
                            backoff = Backoff::default();
                            if out.send(payload.into()).is_err() {
                                return;
                            }
                        }
                        Some(Message::EndOfStream(_)) => return,
                        None => {}
                    }
                }
            }
            Err(status) if is_transient(&status) => {}
            Err(status) => {
                tracing::warn!(%status, task_id, "the message channel is gone; waiting to be cancelled");
                out.closed().await;
                return;
            }
        }
        backoff.wait().await;
    }
}
