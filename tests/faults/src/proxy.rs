//! A wire that can be bent: a TCP proxy whose connections are held up, slowed down, broken and refused on demand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// One direction of all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// Bytes pass.
    #[default]
    Open,
    /// Bytes pass later by this time.
    Slow(Duration),
    /// Bytes wait.
    Held,
}

#[derive(Debug, Clone, Default)]
struct Rules {
    up: Way,
    down: Way,
    refuse: bool,
    /// Connections of an earlier generation are reset.
    generation: u64,
    /// Each connection is reset after a random number of bytes up to this, in whatever direction.
    fragile: Option<u64>,
}

/// The proxy. It stops when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    rules: watch::Sender<Rules>,
    accepted: Arc<AtomicU64>,
    broken: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Listens on `address` and passes on to `target`. `seed` decides where fragile connections break.
    pub async fn start(address: SocketAddr, target: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind(address)
            .await
            .unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"));
        let rules = watch::Sender::new(Rules::default());
        let (accepted, broken) = <(Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let counts = (accepted.clone(), broken.clone());
        let task = tokio::spawn(accept(listener, target, rules.subscribe(), counts, seed));
        Self {
            address,
            rules,
            accepted,
            broken,
            task,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections have come in.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many have broken for what went through them.
    pub fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }

    /// Nothing passes, nothing breaks: what is sent waits.
    pub fn hold(&self) {
        self.set(Way::Held, Way::Held);
    }

    /// The two directions: to the target, and back.
    pub fn set(&self, up: Way, down: Way) {
        self.rules
            .send_modify(|rules| (rules.up, rules.down) = (up, down));
    }

    /// Each direction takes this much longer.
    pub fn slow(&self, by: Duration) {
        self.set(Way::Slow(by), Way::Slow(by));
    }

    /// Resets all connections; new ones are taken.
    pub fn reset(&self) {
        self.rules.send_modify(|rules| rules.generation += 1);
    }

    /// Resets all connections, and every new one at once.
    pub fn refuse(&self) {
        self.rules.send_modify(|rules| {
            rules.refuse = true;
            rules.generation += 1;
        });
    }

    /// Each new connection breaks after a random number of bytes up to `bytes`.
    pub fn fragile(&self, bytes: u64) {
        self.rules.send_modify(|rules| {
            rules.fragile = Some(bytes);
            rules.generation += 1;
        });
    }

    /// All is well again. What waited passes.
    pub fn heal(&self) {
        self.rules.send_modify(|rules| {
            *rules = Rules {
                generation: rules.generation,
                ..Rules::default()
            };
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.rules.send_modify(|rules| rules.generation += 1);
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    rules: watch::Receiver<Rules>,
    (accepted, broken): (Arc<AtomicU64>, Arc<AtomicU64>),
    seed: u64,
) {
    let mut random = StdRng::seed_from_u64(seed);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        accepted.fetch_add(1, Ordering::Relaxed);
        let now = rules.borrow().clone();
        if now.refuse {
            let _ = stream.set_zero_linger();
            continue;
        }
        let breaks_after = now.fragile.map(|most| random.random_range(1..=most));
        let breaks = breaks_after.map(|bytes| (bytes, broken.clone()));
        tokio::spawn(connection(
            stream,
            target,
            rules.clone(),
            now.generation,
            breaks,
        ));
    }
}

async fn connection(
    near: TcpStream,
    target: SocketAddr,
    mut rules: watch::Receiver<Rules>,
    generation: u64,
    breaks: Option<(u64, Arc<AtomicU64>)>,
) {
    // A connection that ends here ends by a reset, as one to a host that is gone; a clean end is passed on below.
    let _ = (near.set_nodelay(true), near.set_zero_linger());
    let Ok(far) = TcpStream::connect(target).await else {
        return;
    };
    let _ = (far.set_nodelay(true), far.set_zero_linger());
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let bytes = Arc::<AtomicU64>::default();
    let meter = |way: fn(&Rules) -> Way| Meter {
        rules: rules.clone(),
        way,
        bytes: bytes.clone(),
        breaks: breaks.clone(),
    };
    let up = pass(near_in, far_out, meter(|rules| rules.up));
    let down = pass(far_in, near_out, meter(|rules| rules.down));
    let both = async {
        let _ = tokio::try_join!(up, down);
    };
    tokio::select! {
        () = both => {}
        _ = rules.wait_for(|rules| rules.generation != generation) => {}
    }
}

struct Meter {
    rules: watch::Receiver<Rules>,
    way: fn(&Rules) -> Way,
    bytes: Arc<AtomicU64>,
    /// After how many bytes it breaks, and who counts that.
    breaks: Option<(u64, Arc<AtomicU64>)>,
}

struct Broken;

/// What comes in by one direction, in its order.
enum Piece {
    Bytes(Vec<u8>),
    End,
    Reset,
}

/// Passes bytes in one direction until its end, which it passes on too. What is held is held with its end: nobody hears of a process that ends behind
/// a held wire.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut meter: Meter,
) -> Result<(), Broken> {
    let (sink, mut pieces) = mpsc::channel::<(Instant, Piece)>(64);
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let piece = match from.read(&mut buffer).await {
                Ok(0) => Piece::End,
                Ok(n) => Piece::Bytes(buffer[..n].to_vec()),
                Err(_) => Piece::Reset,
            };
            let last = !matches!(piece, Piece::Bytes(_));
            if sink.send((Instant::now(), piece)).await.is_err() || last {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((at, piece)) = pieces.recv().await {
            let way = meter.way;
            let now = meter.rules.wait_for(|rules| way(rules) != Way::Held).await;
            let delay = match now.map(|rules| way(&rules)) {
                Ok(Way::Slow(by)) => by,
                Ok(_) => Duration::ZERO,
                Err(_) => return Err(Broken),
            };
            tokio::time::sleep_until(at + delay).await;
            let chunk = match piece {
                Piece::Bytes(chunk) => chunk,
                Piece::End => break,
                Piece::Reset => return Err(Broken),
            };
            let length = u64::try_from(chunk.len()).unwrap_or_default();
            let passed = meter.bytes.fetch_add(length, Ordering::Relaxed) + length;
            if let Some((after, broken)) = &meter.breaks
                && passed >= *after
            {
                broken.fetch_add(1, Ordering::Relaxed);
                return Err(Broken);
            }
            to.write_all(&chunk).await.map_err(|_| Broken)?;
        }
        to.shutdown().await.map_err(|_| Broken)
    };
    tokio::try_join!(read, write).map(|_| ())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A proxy before a server that answers what it hears.
    async fn echo(port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        Proxy::start(SocketAddr::from(([127, 9, 9, 9], port)), target, 1).await
    }

    async fn say(stream: &mut TcpStream) -> std::io::Result<usize> {
        stream.write_all(b"x").await?;
        stream.read(&mut [0; 8]).await
    }

    #[tokio::test]
    async fn bytes_pass_wait_and_pass_again() {
        let proxy = echo(21001).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(say(&mut stream).await.unwrap(), 1);
        proxy.hold();
        let held = tokio::time::timeout(Duration::from_millis(100), say(&mut stream)).await;
        assert!(held.is_err());
        proxy.heal();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn an_end_waits_as_bytes_do() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = SocketAddr::from(([127, 9, 9, 9], 21004));
        let proxy = Proxy::start(proxy, listener.local_addr().unwrap(), 1).await;
        let mut near = TcpStream::connect(proxy.address()).await.unwrap();
        near.write_all(b"x").await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        far.read_exact(&mut [0; 1]).await.unwrap();
        proxy.hold();
        drop(near);
        let mut buffer = [0; 8];
        let end = far.read(&mut buffer);
        tokio::pin!(end);
        let held = tokio::time::timeout(Duration::from_millis(200), &mut end).await;
        assert!(held.is_err(), "{held:?}");
        proxy.heal();
        assert!(!matches!(end.await, Ok(1..)));
    }

    #[tokio::test]
    async fn connections_break_and_are_refused() {
        let proxy = echo(21002).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(say(&mut stream).await.unwrap(), 1);
        proxy.refuse();
        // It breaks or ends: which of the two the reader meets is a race.
        assert!(!matches!(stream.read(&mut [0; 8]).await, Ok(1..)));
        let answer = match TcpStream::connect(proxy.address()).await {
            Ok(mut stream) => say(&mut stream).await,
            Err(error) => Err(error),
        };
        assert!(!matches!(answer, Ok(1)), "{answer:?}");
        proxy.heal();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(say(&mut stream).await.unwrap(), 1);
        assert_eq!(proxy.accepted(), 3);
    }

    #[tokio::test]
    async fn a_fragile_connection_breaks_within_its_bytes() {
        let proxy = echo(21003).await;
        proxy.fragile(20);
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let mut said = 0;
        while let Ok(1) = say(&mut stream).await {
            said += 1;
        }
        assert!(said <= 10, "{said}");
    }
}
