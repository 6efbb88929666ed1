//! A worker's way to the coordinator: TCP connections that can be held up and cut.

mod connection;
mod switch;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use provost_link::Dial;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use connection::Connection;
use switch::Switch;

/// How long connections that lose what they carry stay open: what is to arrive does so meanwhile.
const LOSS: Duration = Duration::from_millis(20);

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the worker.
    Up,
    /// To the worker.
    Down,
}

/// All connections of one worker.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    held_up: Switch,
    held_down: Switch,
    off: Switch,
    batch: Mutex<Arc<Batch>>,
}

/// Connections that break together.
#[derive(Debug, Default)]
struct Batch {
    broken: CancellationToken,
    loses_up: AtomicBool,
    loses_down: AtomicBool,
}

impl Batch {
    fn loses(&self, way: Way) -> &AtomicBool {
        match way {
            Way::Up => &self.loses_up,
            Way::Down => &self.loses_down,
        }
    }
}

impl Wire {
    /// Nothing arrives that way, for a time or for ever; then all of it does. Connections stay open for as long as both sides leave them so.
    pub(crate) fn hold(&self, way: Way, time: Option<Duration>) {
        self.held(way).on(time);
    }

    /// All connections break, and none can be made, for a time or for ever.
    pub(crate) fn cut(&self, time: Option<Duration>) {
        self.off.on(time);
        self.renew().broken.cancel();
    }

    /// Nothing goes that way on the connections that there are. A moment later they break, and new ones can be made.
    pub(crate) fn lose(&self, way: Way) {
        let batch = self.renew();
        batch.loses(way).store(true, Ordering::Release);
        tokio::spawn(async move {
            tokio::time::sleep(LOSS).await;
            batch.broken.cancel();
        });
    }

    /// All is well again.
    pub(crate) fn heal(&self) {
        self.held_up.off();
        self.held_down.off();
        self.off.off();
    }

    fn held(&self, way: Way) -> &Switch {
        match way {
            Way::Up => &self.held_up,
            Way::Down => &self.held_down,
        }
    }

    fn batch(&self) -> Arc<Batch> {
        let batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        batch.clone()
    }

    /// Begins another batch, and returns the one before.
    fn renew(&self) -> Arc<Batch> {
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *batch)
    }
}

/// Makes the connections of a [`Wire`].
pub(crate) struct Dialer(pub(crate) Arc<Wire>);

impl Dial for Dialer {
    fn dial(
        &self,
        address: SocketAddr,
    ) -> BoxFuture<'static, io::Result<Box<dyn provost_link::Connection>>> {
        let wire = self.0.clone();
        async move {
            wire.held_down.wait_off().await;
            // Before it is known whether there may be one, so that a cut in between breaks it.
            let batch = wire.batch();
            if wire.off.is_on() {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            let connection: Box<dyn provost_link::Connection> =
                Box::new(Connection::new(tcp, wire, batch));
            Ok(connection)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(50);

    async fn pair(wire: &Arc<Wire>) -> (Box<dyn provost_link::Connection>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ours = Dialer(wire.clone()).dial(address).await.unwrap();
        (ours, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn what_is_held_arrives_later() {
        let wire = Arc::<Wire>::default();
        let (mut ours, mut theirs) = pair(&wire).await;
        for way in [Way::Up, Way::Down] {
            wire.hold(way, None);
            let (from, to): (
                &mut dyn provost_link::Connection,
                &mut dyn provost_link::Connection,
            ) = match way {
                Way::Up => (&mut ours, &mut theirs),
                Way::Down => (&mut theirs, &mut ours),
            };
            let mut byte = [0];
            let passed = async {
                from.write_all(b"x").await.unwrap();
                to.read_exact(&mut byte).await.unwrap();
            };
            tokio::pin!(passed);
            assert!(timeout(MOMENT, &mut passed).await.is_err(), "{way:?}");
            wire.heal();
            passed.await;
        }
    }

    #[tokio::test]
    async fn what_is_cut_breaks_and_comes_back() {
        let wire = Arc::<Wire>::default();
        let (mut ours, mut theirs) = pair(&wire).await;
        let reading = async { ours.read_u8().await.unwrap_err().kind() };
        let cutting = async {
            tokio::task::yield_now().await;
            wire.cut(None);
        };
        let (kind, ()) = tokio::join!(reading, cutting);
        assert_eq!(kind, io::ErrorKind::ConnectionReset);
        assert!(ours.write_all(b"x").await.is_err());
        drop(ours);
        assert!(theirs.read_u8().await.is_err(), "the other side sees it");
        let address = "127.0.0.1:1".parse().unwrap();
        let refused = Dialer(wire.clone()).dial(address).await;
        let kind = refused.err().map(|error| error.kind());
        assert_eq!(kind, Some(io::ErrorKind::ConnectionRefused));
        wire.heal();
        pair(&wire).await;
    }

    #[tokio::test]
    async fn what_is_lost_never_arrives() {
        let wire = Arc::<Wire>::default();
        let (mut ours, mut theirs) = pair(&wire).await;
        wire.lose(Way::Down);
        // Soon: the connection breaks then.
        ours.write_all(b"y").await.unwrap();
        theirs.write_all(b"x").await.unwrap();
        assert_eq!(theirs.read_u8().await.unwrap(), b'y');
        let (mut next, mut next_theirs) = pair(&wire).await;
        assert!(ours.read_u8().await.is_err());
        next_theirs.write_all(b"z").await.unwrap();
        assert_eq!(next.read_u8().await.unwrap(), b'z');
    }
}
