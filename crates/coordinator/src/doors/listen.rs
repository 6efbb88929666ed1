//! Where others connect.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Listens on `address`. `[::]` takes both families, whatever the machine's default is, or IPv4 alone where the kernel has nothing else: clusters have one,
/// the other, or both.
///
/// # Errors
/// The address cannot be bound.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.is_ipv6() || !address.ip().is_unspecified() {
        return TcpListener::bind(address).await;
    }
    match TcpSocket::new_v6() {
        Ok(socket) => both(&socket, address).and_then(|()| socket.listen(BACKLOG)),
        // Without IPv6 (`ipv6.disable=1`) there is no such socket.
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await,
    }
}

fn both(socket: &TcpSocket, address: SocketAddr) -> io::Result<()> {
    SockRef::from(socket).set_only_v6(false)?;
    // What `TcpListener::bind` does, too: a process that follows another one may listen at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn all_addresses_are_those_of_both_families() {
        let listener = listen((Ipv6Addr::UNSPECIFIED, 0).into()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port))
                .await
                .unwrap();
        }
    }

    #[tokio::test]
    async fn one_address_is_one_address() {
        for address in ["127.0.0.1:0", "0.0.0.0:0"] {
            let address: SocketAddr = address.parse().unwrap();
            let listener = listen(address).await.unwrap();
            assert_eq!(listener.local_addr().unwrap().ip(), address.ip());
        }
        let taken = listen((Ipv6Addr::UNSPECIFIED, 0).into()).await.unwrap();
        let again = listen(taken.local_addr().unwrap()).await.unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
    }
}
