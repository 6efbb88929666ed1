//! Loopback addresses: each scenario has a block of its own, so that scenarios run side by side on the same ports.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};

/// gRPC of a replica.
pub const GRPC: u16 = 50051;
/// HTTP routes of a replica.
pub const HTTP: u16 = 8080;
/// Metrics of a replica, status of a worker.
pub const METRICS: u16 = 9090;
/// The store.
pub const STORE: u16 = 9000;
/// The API server, as a replica sees it.
pub const API: u16 = 6443;

static NEXT_BLOCK: AtomicU8 = AtomicU8::new(1);

/// The addresses `127.a.b.*` of one scenario: `a` by process, `b` by scenario.
#[derive(Debug)]
pub struct Block {
    a: u8,
    b: u8,
    workers: AtomicU8,
}

impl Block {
    /// The next block of this process.
    pub fn next() -> Self {
        let process = u8::try_from(std::process::id() % 200).unwrap_or_default();
        Self {
            a: 16 + process,
            b: NEXT_BLOCK.fetch_add(1, Ordering::Relaxed),
            workers: AtomicU8::new(100),
        }
    }

    fn host(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.a, self.b, host)
    }

    /// Where replica `i` listens.
    pub fn replica(&self, i: usize) -> Ipv4Addr {
        self.host(1 + u8::try_from(i).unwrap())
    }

    /// Where replica `i` finds the API server.
    pub fn api(&self, i: usize) -> SocketAddr {
        (self.host(31 + u8::try_from(i).unwrap()), API).into()
    }

    /// Where the store listens.
    pub fn store(&self) -> SocketAddr {
        (self.host(20), STORE).into()
    }

    /// Where the replicas find the store.
    pub fn store_for_replicas(&self) -> SocketAddr {
        (self.host(21), STORE).into()
    }

    /// An address for a worker that starts.
    pub fn worker(&self) -> Ipv4Addr {
        self.host(self.workers.fetch_add(1, Ordering::Relaxed))
    }
}
