//! The consumer's end of a task's message channel.

use bytes::Bytes;
use proto::message_stream_response::Message;
use provost_proto::worker as proto;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::calls::{Backoff, Calls, is_transient};
use crate::faults::Call;

/// The messages of one task, each once and in order, across broken streams.
#[derive(Debug)]
pub(crate) struct Messages {
    messages: mpsc::UnboundedReceiver<Bytes>,
    _pump: AbortOnDropHandle<()>,
}

impl Messages {
    pub(super) fn open(calls: Calls, worker_id: String, task_id: String) -> Self {
        let (out, messages) = mpsc::unbounded_channel();
        let pump = tokio::spawn(receive(calls, worker_id, task_id, out));
        Self {
            messages,
            _pump: AbortOnDropHandle::new(pump),
        }
    }

    /// The next message; `None` when the producer is final.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.messages.recv().await
    }
}

/// Dropping `out` is what tells that the channel has ended, so that happens at EndOfStream alone: ending early would make a proof of too few shards.
/// When the coordinator refuses for good, this waits for the task's own abort.
async fn receive(
    calls: Calls,
    worker_id: String,
    task_id: String,
    out: mpsc::UnboundedSender<Bytes>,
) {
    let mut offset = 0;
    let mut backoff = Backoff::default();
    loop {
        let request = proto::SubscribeTaskMessagesRequest {
            worker_id: worker_id.clone(),
            task_id: task_id.clone(),
            start_offset: offset,
        };
        let opened = calls.once(Call::SubscribeTaskMessages, |mut stub| {
            let request = request.clone();
            async move { stub.subscribe_task_messages(request).await }
        });
        match opened.await {
            Ok(response) => {
                let mut stream = response.into_inner();
                while let Some(Ok(response)) = calls.next(&mut stream).await {
                    calls.heard().await;
                    match response.message {
                        Some(Message::Payload(payload)) => {
                            offset += 1;
                            backoff = Backoff::default();
                            if out.send(payload).is_err() {
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
                tracing::debug!(%status, task_id, "the message channel is gone; waiting to be cancelled");
                out.closed().await;
                return;
            }
        }
        backoff.wait().await;
    }
}
