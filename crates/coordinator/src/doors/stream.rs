//! A stream that tells when its other end is gone.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tonic::Status;

use crate::queue::Receiver;

type Next<T> = dyn FnMut(&Context<'_>) -> Poll<Option<Result<T, Status>>> + Send;

/// The receiving end of a queue, as a stream of answers. When tonic drops it, because the client went away or the stream is over, `gone` is called.
pub struct Watched<T> {
    next: Box<Next<T>>,
    gone: Option<Box<dyn FnOnce() + Send>>,
}

impl<T> Watched<T> {
    pub(super) fn new<Q: Into<T> + Send + 'static>(
        mut queue: Receiver<Result<Q, Status>>,
        gone: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self {
            next: Box::new(move |cx| queue.poll_recv(cx).map_ok(Into::into)),
            gone: Some(Box::new(gone)),
        }
    }
}

impl<T> std::fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl<T> Stream for Watched<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        (self.next)(cx)
    }
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        if let Some(gone) = self.gone.take() {
            gone();
        }
    }
}
