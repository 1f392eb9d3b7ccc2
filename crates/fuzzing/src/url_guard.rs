//! Addresses that calls may go to: the guard's answer is held against a second, coarser opinion.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use connectors::outbound::{EgressPolicy, Route};
use url::{Host, Url};

/// An address of a call under every rule. What the guard lets out is HTTPS on port 443, without user, and no address that is not public.
pub fn url_guard(bytes: &[u8]) -> bool {
    let Some(url) = std::str::from_utf8(bytes).ok().and_then(|text| Url::parse(text).ok()) else { return false };
    let policy = EgressPolicy { allow: Vec::new(), allow_http: false };
    if policy.check_url(&url, &Route::Guarded).is_err() {
        return false;
    }
    assert_eq!(url.scheme(), "https", "{url}");
    assert_eq!(url.port_or_known_default(), Some(443), "{url}");
    assert!(url.username().is_empty() && url.password().is_none(), "{url}");
    let inside = match url.host() {
        Some(Host::Ipv4(address)) => is_inside_v4(address),
        Some(Host::Ipv6(address)) => is_inside(IpAddr::V6(address)),
        Some(Host::Domain(name)) => name.strip_suffix('.').unwrap_or(name).eq_ignore_ascii_case("localhost"),
        None => true,
    };
    assert!(!inside, "{url} is not public");
    true
}

fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_inside_v4(address),
        IpAddr::V6(address) => {
            let first = address.segments()[0];
            let embedded = first == 0x2002 || first == 0x0064 || (first == 0x2001 && address.segments()[1] == 0);
            address == Ipv6Addr::LOCALHOST
                || address == Ipv6Addr::UNSPECIFIED
                || address.is_multicast()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || embedded
        }
    }
}

fn is_inside_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || first == 0
        || first >= 240
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (second == 18 || second == 19))
}
