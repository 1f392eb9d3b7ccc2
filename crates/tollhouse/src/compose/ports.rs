//! Listening, and what to say when somebody else does already.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be accepted. The usual 128 are gone when a balancer opens its thousand at once; whoever finds no place hears nothing and tries again after a second. The system may allow fewer.
const BACKLOG: u32 = 4096;

/// Listens, or names the key and the address in the message.
pub(super) fn bind(address: SocketAddr, key: &'static str) -> anyhow::Result<TcpListener> {
    listen(address).map_err(|error| taken(&error, address, key))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As a listener of the library has it: a restart must not wait for connections that are on their way out.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The message for an address that can not be listened on.
pub(super) fn taken(error: &io::Error, address: SocketAddr, key: &str) -> anyhow::Error {
    if error.kind() == io::ErrorKind::AddrInUse {
        let switch = if key == "internal.listen" { ", or switch it off with `off`" } else { "" };
        anyhow::anyhow!("{address} is taken by another process: stop it, or set `{key}` to another address{switch}")
    } else {
        anyhow::anyhow!("{address} can not be listened on: {error}. Set `{key}` to another address")
    }
}

/// The address as a client on this machine reaches it: "all addresses" is none.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_names_the_key_and_the_fix() {
        let first = bind("127.0.0.1:0".parse().unwrap(), "server.listen").unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address, "internal.listen").unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "{address} is taken by another process: stop it, or set `internal.listen` to another address, or switch it off with `off`"
            )
        );
    }

    #[test]
    fn all_addresses_are_reached_by_loopback() {
        for (given, reached) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")] {
            assert_eq!(reachable(given.parse().unwrap()).to_string(), reached);
        }
    }
}
