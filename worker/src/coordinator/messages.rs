//! The consumer's end of a task's message channel.

use provost_link::Listener;
use tokio::sync::mpsc;

/// Hands each message to `out`, once and in order. Dropping `out` is what tells SP1 that the channel has ended, so that happens
/// at its definite end alone: ending early would make a proof of too few shards. Whoever waits for more when none will come
/// is about to be cancelled.
pub(super) async fn deliver(mut listener: Listener, out: mpsc::UnboundedSender<Vec<u8>>) {
    loop {
        let next = tokio::select! {
            next = listener.next() => next,
            () = out.closed() => return,
        };
        match next {
            Ok(Some(payload)) => {
                if out.send(payload.into()).is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(ended) => {
                tracing::info!(%ended, "no more messages come");
                out.closed().await;
                return;
            }
        }
    }
}
