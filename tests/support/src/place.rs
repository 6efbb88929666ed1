//! Addresses to listen on again.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// An address of this machine that nobody else is given while this lives, whether or not somebody listens on it.
///
/// A port that was free a moment ago may be another's by now. This one is bound and does not listen: who asks for it by name
/// and sets `SO_REUSEADDR`, as all listeners of std and tokio do, gets it, one at a time.
#[derive(Debug)]
pub struct Place(TcpSocket);

impl Place {
    /// A place on 127.0.0.1.
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self(socket)
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn it_can_be_listened_on_again_and_is_nobody_elses_meanwhile() {
        let place = Place::new();
        let refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
        for _ in 0..2 {
            assert!(TcpStream::connect(place.address()).is_err_and(refused));
            let other = TcpSocket::new_v4().unwrap();
            assert!(other.bind(place.address()).is_err(), "without reuse");
            let listener = TcpListener::bind(place.address()).unwrap();
            TcpStream::connect(place.address()).unwrap();
            let second = TcpListener::bind(place.address());
            assert!(second.is_err_and(|error| error.kind() == ErrorKind::AddrInUse));
            drop(listener);
        }
    }
}
