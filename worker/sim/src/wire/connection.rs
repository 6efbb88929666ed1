//! One connection that heeds its [`Wire`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{Batch, Way, Wire};

/// One connection that heeds its [`Wire`].
pub(super) struct Connection {
    tcp: TcpStream,
    wire: Arc<Wire>,
    batch: Arc<Batch>,
    broken: Pin<Box<WaitForCancellationFutureOwned>>,
    up: Gate,
    down: Gate,
}

/// Waits while nothing may pass.
#[derive(Default)]
struct Gate(Option<BoxFuture<'static, ()>>);

impl Gate {
    fn poll(&mut self, wire: &Arc<Wire>, way: Way, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(waiting) = &mut self.0 {
                ready!(waiting.poll_unpin(cx));
                self.0 = None;
            }
            if !wire.held(way).is_on() {
                return Poll::Ready(());
            }
            let wire = wire.clone();
            self.0 = Some(async move { wire.held(way).wait_off().await }.boxed());
        }
    }
}

impl Connection {
    pub(super) fn new(tcp: TcpStream, wire: Arc<Wire>, batch: Arc<Batch>) -> Self {
        let broken = Box::pin(batch.broken.clone().cancelled_owned());
        Self {
            tcp,
            wire,
            batch,
            broken,
            up: Gate::default(),
            down: Gate::default(),
        }
    }

    /// Ready when something may pass: an error when the connection is broken.
    fn poll_pass(&mut self, way: Way, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken.poll_unpin(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.batch.loses(way).load(Ordering::Acquire) {
            // It breaks soon, which wakes this.
            return Poll::Pending;
        }
        let gate = match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        };
        gate.poll(&self.wire, way, cx).map(Ok)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_pass(Way::Down, cx))?;
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_pass(Way::Up, cx))?;
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
