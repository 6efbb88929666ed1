//! A request body that counts what has left, so that a stalled connection shows.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Bytes handed to the connection at a time.
const CHUNK: usize = 256 * 1024;

/// Bytes moved so far, in either direction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moved(Arc<AtomicU64>);

impl Moved {
    /// Notes more bytes.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// All so far.
    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Ends once nothing has moved for `limit`.
    pub(crate) async fn stalled(&self, limit: Duration) {
        let mut seen = self.total();
        loop {
            tokio::time::sleep(limit).await;
            let now = self.total();
            if now == seen {
                return;
            }
            seen = now;
        }
    }
}

/// A body of known length, sent in chunks.
#[derive(Debug)]
pub(crate) struct Upload {
    rest: Bytes,
    moved: Moved,
}

impl Upload {
    /// A body of these bytes.
    pub(crate) fn new(data: Bytes, moved: Moved) -> Self {
        Self { rest: data, moved }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(CHUNK);
        let chunk = self.rest.split_to(length);
        self.moved.add(length as u64);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn everything_arrives_and_is_counted() {
        let data: Vec<u8> = (0..600_000_u32).map(|i| i as u8).collect();
        let moved = Moved::default();
        let body = Upload::new(data.clone().into(), moved.clone());
        assert_eq!(body.size_hint().exact(), Some(600_000));
        assert_eq!(body.collect().await.unwrap().to_bytes(), data);
        assert_eq!(moved.total(), 600_000);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_stop_is_a_stall() {
        let moved = Moved::default();
        let moves = async {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                moved.add(1);
            }
        };
        // The moves take longer than the limit, and no pause between them does.
        let stalled = tokio::select! {
            () = moves => false,
            () = moved.stalled(Duration::from_millis(700)) => true,
        };
        assert!(!stalled);
        moved.stalled(Duration::from_millis(10)).await;
    }
}
