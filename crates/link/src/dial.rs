//! How connections are made.

use std::io;
use std::net::SocketAddr;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection to a replica.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Connection for T {}

/// Makes connections. A test makes some that it can cut.
pub trait Dial: Send + Sync + 'static {
    /// A connection to `address`, which the link gives up after [`Timing::connect`](crate::Timing::connect).
    fn dial(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn Connection>>>;
}
