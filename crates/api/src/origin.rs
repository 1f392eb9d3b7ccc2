//! Where a request comes from: the peer, or whom a proxy that is trusted names.
//!
//! `X-Forwarded-For` grows at its end, and each proxy writes down who connected to it. So it is read from the end, for as long as the one who wrote an entry is trusted; what a client writes in front of that is never looked at.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::PeerAddress;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a request is counted for and recorded with. The gate puts it among the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin(pub(crate) IpAddr);

/// The networks of proxies whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug)]
pub(crate) struct TrustedProxies(Arc<[IpNet]>);

// === impl TrustedProxies ===

impl TrustedProxies {
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks.into())
    }

    /// Where a request comes from; `None` when nobody has said who the peer is.
    pub(crate) fn origin(&self, request: &Request) -> Option<Origin> {
        let peer = request.extensions().get::<PeerAddress>()?;
        Some(Origin(self.forwarded(peer.0.ip().to_canonical(), request.headers())))
    }

    fn forwarded(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut nearest = peer;
        if !self.hold(nearest) {
            return nearest;
        }
        // Several headers are one list.
        let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
        for entry in values.into_iter().rev().flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b',')) {
            // What is no address was not written by somebody whom we understand: whoever sent it is as far as we see.
            let Some(address) = address(entry) else { break };
            nearest = address;
            if !self.hold(nearest) {
                break;
            }
        }
        nearest
    }

    fn hold(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// An address as proxies write it: some add the port, and IPv6 addresses then stand in brackets.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let bare = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => host,
            Some(_) | None => text,
        },
    };
    bare.parse().ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_last_entry_that_is_no_trusted_proxy_is_the_client() {
        let trusted = TrustedProxies::new(["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).to_vec());
        let check = |trusted: &TrustedProxies, peer: &str, values: &[&'static str], expected: &str| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
            }
            let (peer, expected): (IpAddr, IpAddr) = (peer.parse().unwrap(), expected.parse().unwrap());
            assert_eq!(trusted.forwarded(peer.to_canonical(), &headers), expected, "{peer} {values:?}");
        };
        check(&trusted, "203.0.113.9", &[], "203.0.113.9");
        check(&trusted, "203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check(&trusted, "10.1.1.1", &[], "10.1.1.1");
        check(&trusted, "10.1.1.1", &["198.51.100.1"], "198.51.100.1");
        check(&trusted, "::ffff:10.1.1.1", &["198.51.100.1"], "198.51.100.1");
        check(&trusted, "fd00::1", &["2001:db8::1"], "2001:db8::1");
        // What the client wrote itself stands in front.
        check(&trusted, "10.1.1.1", &["127.0.0.1, 198.51.100.1"], "198.51.100.1");
        check(&trusted, "10.1.1.1", &["127.0.0.1", "198.51.100.1"], "198.51.100.1");
        check(&trusted, "10.1.1.1", &["127.0.0.1,198.51.100.1,10.2.2.2, 10.3.3.3"], "198.51.100.1");
        check(&trusted, "10.1.1.1", &["10.9.9.9, 10.2.2.2"], "10.9.9.9");
        for (form, expected) in [
            ("198.51.100.1:4711", "198.51.100.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            // Nothing is understood from here on, so the proxy itself is the nearest that is known.
            ("unknown", "10.1.1.1"),
            ("", "10.1.1.1"),
            ("198.51.100.1, , 10.2.2.2", "10.2.2.2"),
            ("198.51.100.1, evil, 10.2.2.2", "10.2.2.2"),
            ("_hidden", "10.1.1.1"),
            ("198.51.100.999", "10.1.1.1"),
        ] {
            check(&trusted, "10.1.1.1", &[form], expected);
        }
        check(&TrustedProxies::new(Vec::new()), "10.1.1.1", &["198.51.100.1"], "10.1.1.1");
    }
}
