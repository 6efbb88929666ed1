//! Connections that the caller makes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use provost_link::{Connection, Dial, Link};
use tokio::net::TcpStream;

use crate::replica::{Replica, config, until};

/// Fails at first.
#[derive(Default)]
struct Second(AtomicUsize);

impl Dial for Second {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn Connection>>> {
        let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if first {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let tcp = TcpStream::connect(address).await?;
            let connection: Box<dyn Connection> = Box::new(tcp);
            Ok(connection)
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_link_dials_as_it_is_told_and_again_when_that_fails() {
    let leader = Replica::start("a", 1);
    let dial = Arc::new(Second::default());
    let mut config = config(&[&leader]);
    config.dial = Some(dial.clone());
    let link = Link::start(config).unwrap();
    until("it answers", || link.status().leader.is_some()).await;
    assert_eq!(dial.0.load(Ordering::SeqCst), 2);
    leader.break_streams();
    until("it dials again", || dial.0.load(Ordering::SeqCst) == 3).await;
    until("it answers again", || leader.log(|log| log.streams) == 2).await;
}
