//! How long the server waits for the next piece of a request's body.
//!
//! A client whose machine is gone says nothing any more, not even that it is gone: its request, and the room on the disk that it has taken,
//! would be held for ever.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::body::{Body, Frame, SizeHint};
use s3s::service::S3Service;
use s3s::{HttpError, HttpResponse, StdError, s3_error};
use tokio::time::{Instant, Sleep, sleep};

/// Longest wait for the next piece of a body, whoever reads it and for whatever purpose.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lets `service` answer a request. If its body comes to a standstill, the answer is S3's `RequestTimeout`.
pub(super) async fn answer<B>(
    service: S3Service,
    request: Request<B>,
) -> Result<HttpResponse, HttpError>
where
    B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
    B::Error: Into<StdError>,
{
    let stalled = Arc::new(AtomicBool::new(false));
    let request =
        request.map(|body| s3s::Body::http_body(Patient::new(body, Arc::clone(&stalled))));
    let answer = service.call(request).await;
    if !stalled.load(Ordering::Relaxed) {
        return answer;
    }
    // What reads a body tells of it in words of its own, some of which say that the server is to blame.
    let error = s3_error!(
        RequestTimeout,
        "nothing of the body came for {} s",
        PATIENCE.as_secs()
    );
    error
        .to_http_response()
        .map_err(|error| HttpError::new(Box::new(error)))
}

/// A body that breaks off when its next piece stays away for too long.
struct Patient<B> {
    body: B,
    timer: Pin<Box<Sleep>>,
    /// Whether the timer runs, since a piece is waited for.
    waiting: bool,
    /// Whether the body broke off here.
    stalled: Arc<AtomicBool>,
}

impl<B> Patient<B> {
    fn new(body: B, stalled: Arc<AtomicBool>) -> Self {
        Self {
            body,
            timer: Box::pin(sleep(PATIENCE)),
            waiting: false,
            stalled,
        }
    }
}

impl<B> Body for Patient<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<StdError>,
{
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let this = &mut *self;
        if this.stalled.load(Ordering::Relaxed) {
            return Poll::Ready(None);
        }
        if let Poll::Ready(piece) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waiting = false;
            return Poll::Ready(piece.map(|piece| piece.map_err(Into::into)));
        }
        if !this.waiting {
            this.waiting = true;
            this.timer.as_mut().reset(Instant::now() + PATIENCE);
        }
        ready!(this.timer.as_mut().poll(cx));
        this.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err("the body came to a standstill".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io;

    use futures::stream::{self, Stream, StreamExt as _};
    use hyper::StatusCode;
    use s3s::dto::StreamingBlob;
    use s3s::service::S3ServiceBuilder;

    use super::*;
    use crate::server::backend::Backend;
    use crate::server::disk::Disk;
    use crate::server::service::Service;

    /// What the server says to six bytes for an object that come like this, and how many unfinished files it keeps then.
    async fn put(
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static,
    ) -> (StatusCode, String, usize) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path().to_owned()).unwrap();
        let backend = Arc::new(Backend::new(disk, "provost".to_owned()));
        let service = S3ServiceBuilder::new(Service(backend)).build();
        let request = Request::builder()
            .method("PUT")
            .uri("http://store/provost/artifacts/a")
            .header("content-length", "6")
            .body(s3s::Body::from(StreamingBlob::wrap(pieces)))
            .unwrap();
        let answer = answer(service, request).await.unwrap();
        let status = answer.status();
        let text = answer.into_body().bytes().unwrap_or_default();
        let unfinished = std::fs::read_dir(dir.path().join("unfinished")).unwrap();
        (
            status,
            String::from_utf8(text.to_vec()).unwrap(),
            unfinished.count(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_is_given_up() {
        let began = Instant::now();
        let first = stream::iter([Ok(Bytes::from_static(b"abc"))]);
        let (status, text, unfinished) = put(first.chain(stream::pending())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(text.contains("<Code>RequestTimeout</Code>"), "{text}");
        assert_eq!(unfinished, 0);
        // What has stood still once is not waited for again, to be thrown away.
        assert!(began.elapsed() >= PATIENCE && began.elapsed() < 2 * PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_slow_arrives() {
        let pieces = stream::iter(0..3).then(|_| async {
            sleep(PATIENCE * 5 / 6).await;
            Ok(Bytes::from_static(b"ab"))
        });
        let (status, text, unfinished) = put(pieces).await;
        assert_eq!((status, text.as_str()), (StatusCode::OK, ""));
        assert_eq!(unfinished, 0);
    }
}
