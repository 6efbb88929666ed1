//! From names to addresses.

use std::io;
use std::net::SocketAddr;

use futures::FutureExt as _;
use futures::future::BoxFuture;

/// Turns a host into the addresses behind it.
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of `host` now. `port` is to be used for each.
    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy)]
pub struct Dns;

impl Resolve for Dns {
    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        async move {
            let found = tokio::net::lookup_host((host, port)).await?;
            Ok(found.collect())
        }
        .boxed()
    }
}
