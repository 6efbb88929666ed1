//! The consumer's end of a task's message channel.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::Client;
use crate::faults::Call;

/// The messages of one task, each once and in order.
#[derive(Debug)]
pub(crate) struct Messages {
    messages: mpsc::UnboundedReceiver<Bytes>,
    _pump: AbortOnDropHandle<()>,
}

impl Messages {
    pub(super) fn open(client: Client, task: String) -> Self {
        let (out, messages) = mpsc::unbounded_channel();
        let pump = tokio::spawn(deliver(client, task, out));
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

/// Dropping `out` is what tells that the channel has ended, so that happens at its definite end alone: ending early would make a proof of too few
/// shards. Whoever waits for more when none will come is about to be cancelled.
async fn deliver(client: Client, task: String, out: mpsc::UnboundedSender<Bytes>) {
    client.body.call(Call::Listen).await;
    let mut listener = client.link.listen(&client.run, task, 0);
    loop {
        match listener.next().await {
            Ok(Some(payload)) => {
                if out.send(payload).is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(ended) => {
                tracing::debug!(%ended, "no more messages come");
                return out.closed().await;
            }
        }
    }
}
