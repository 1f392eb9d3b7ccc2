//! The egress guard: which addresses a call may reach.
//!
//! A payment service lives behind public HTTPS. Everything else is a way into the house of whoever runs this server, so it is let out only where the operator says so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rustls_pki_types::ServerName;
use url::{Host, Url};

use super::Route;
use super::identity::Fingerprint;

/// What the operator lets out beyond public HTTPS. Nothing by default.
#[derive(Clone, Debug)]
pub struct EgressPolicy {
    /// Addresses that may be called although their range is special, and on any port.
    pub allow: Vec<IpNet>,
    /// Whether plain HTTP may be spoken.
    pub allow_http: bool,
}

/// Why the egress guard refuses a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EgressRefusal {
    /// Not HTTPS.
    #[error("only https is called")]
    Scheme,
    /// A user name or a password in the URL.
    #[error("a URL must not carry a user name or a password")]
    UserInfo,
    /// No host, or one that can not be the name of a server.
    #[error("the URL has no usable host")]
    Host,
    /// A port that is neither the usual one nor on an allowed address.
    #[error("only port 443 is called")]
    Port,
    /// A URL that HTTP can not carry.
    #[error("the URL can not be sent in a request")]
    Url,
    /// A private, local or reserved address, or a name with one among its addresses.
    #[error("private, local and reserved addresses are not called")]
    Address,
}

/// Where a vetted URL leads. It is also what connections are kept by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) tls: bool,
    pub(super) host: TargetHost,
    pub(super) port: u16,
    pub(super) route: Route,
    /// The client certificate that is shown there. Always `None` without TLS.
    pub(super) identity: Option<Fingerprint>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum TargetHost {
    /// Lower case, without a final dot.
    Name(String),
    Address(IpAddr),
}

// === impl EgressPolicy ===

impl EgressPolicy {
    /// Vets a URL as far as that is possible without asking for its name's addresses; what it refuses would be refused at every call.
    pub fn check_url(&self, url: &Url, route: &Route) -> Result<(), EgressRefusal> {
        self.target(url, route).map(drop)
    }

    pub(super) fn target(&self, url: &Url, route: &Route) -> Result<Target, EgressRefusal> {
        let simulator = *route == Route::Simulator;
        let tls = match url.scheme() {
            "https" => true,
            "http" if self.allow_http || simulator => false,
            _ => return Err(EgressRefusal::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressRefusal::UserInfo);
        }
        let host = match url.host().ok_or(EgressRefusal::Host)? {
            Host::Domain(name) => TargetHost::Name(server_name(name)?),
            Host::Ipv4(address) => TargetHost::Address(address.into()),
            Host::Ipv6(address) => TargetHost::Address(address.into()),
        };
        let port = url.port_or_known_default().ok_or(EgressRefusal::Port)?;
        let target = Target { tls, host, port, route: *route, identity: None };
        match &target.host {
            TargetHost::Address(address) => self.admit(&target, *address)?,
            TargetHost::Name(name) if is_localhost(name) => drop(self.loopback(&target)?),
            // Only an allowed address may have another port, and where none is allowed no name can have one.
            TargetHost::Name(_) => {
                if !target.any_port() && !target.usual_port() && self.allow.is_empty() {
                    return Err(EgressRefusal::Port);
                }
            }
        }
        Ok(target)
    }

    /// Whether a connection to this address may be made.
    pub(super) fn admit(&self, target: &Target, address: IpAddr) -> Result<(), EgressRefusal> {
        if target.route == Route::Simulator || self.allow.iter().any(|net| net.contains(&address)) {
            return Ok(());
        }
        if is_special(address) {
            return Err(EgressRefusal::Address);
        }
        if target.any_port() || target.usual_port() { Ok(()) } else { Err(EgressRefusal::Port) }
    }

    /// Vets all addresses of a name; one bad one refuses the name, since whoever can add one decides which of them is called.
    pub(super) fn admit_all(&self, target: &Target, addresses: &[IpAddr]) -> Result<(), EgressRefusal> {
        addresses.iter().try_for_each(|address| self.admit(target, *address))
    }

    /// Vets what will be resolved by a proxy: of a name without addresses only an override may say the port.
    pub(super) fn admit_unresolved(&self, target: &Target) -> Result<(), EgressRefusal> {
        match &target.host {
            TargetHost::Address(address) => self.admit(target, *address),
            TargetHost::Name(_) if target.any_port() || target.usual_port() => Ok(()),
            TargetHost::Name(_) => Err(EgressRefusal::Port),
        }
    }

    /// Whether a call goes past a proxy: to what is on this machine, or on a network that the operator has opened by its addresses. A proxy is the way to everything else.
    pub(super) fn is_direct(&self, target: &Target) -> bool {
        match &target.host {
            _ if target.route == Route::Simulator => true,
            TargetHost::Address(address) => self.allow.iter().any(|net| net.contains(address)),
            TargetHost::Name(name) => is_localhost(name),
        }
    }

    /// The addresses of `localhost`: no name server is asked, and of the two only those that are admitted are called.
    pub(super) fn loopback(&self, target: &Target) -> Result<Vec<IpAddr>, EgressRefusal> {
        let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        addresses.retain(|address| self.admit(target, *address).is_ok());
        if addresses.is_empty() { Err(EgressRefusal::Address) } else { Ok(addresses) }
    }
}

// === impl EgressRefusal ===

impl EgressRefusal {
    /// A word for machines.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::UserInfo => "user_info",
            Self::Host => "host",
            Self::Port => "port",
            Self::Url => "url",
            Self::Address => "address",
        }
    }
}

// === impl Target ===

impl Target {
    /// An override may name any port: the operator has written it.
    fn any_port(&self) -> bool {
        match self.route {
            Route::Guarded => false,
            Route::Override | Route::Simulator => self.port != 0,
        }
    }

    pub(super) fn usual_port(&self) -> bool {
        self.port == if self.tls { 443 } else { 80 }
    }
}

pub(super) fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// The URL parser has lowered the case and turned every spelling of an IPv4 address into one; a final dot changes nothing but would change the certificate's name.
fn server_name(name: &str) -> Result<String, EgressRefusal> {
    let name = name.strip_suffix('.').unwrap_or(name);
    match ServerName::try_from(name) {
        Ok(ServerName::DnsName(_)) => Ok(name.to_owned()),
        _ => Err(EgressRefusal::Host),
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(a: u16, b: u16, c: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

/// The registry of special-purpose IPv4 addresses, without the few that are globally reachable.
const SPECIAL_V4: [Ipv4Net; 18] = [
    v4(0, 0, 0, 0, 8),       // This network; 0.0.0.0 reaches the machine itself.
    v4(10, 0, 0, 0, 8),      // Private.
    v4(100, 64, 0, 0, 10),   // Shared by carriers.
    v4(127, 0, 0, 0, 8),     // Loopback.
    v4(169, 254, 0, 0, 16),  // Link-local, where clouds keep their metadata.
    v4(172, 16, 0, 0, 12),   // Private.
    v4(192, 0, 0, 0, 24),    // Protocol assignments.
    v4(192, 0, 2, 0, 24),    // Documentation.
    v4(192, 31, 196, 0, 24), // AS112.
    v4(192, 52, 193, 0, 24), // Multicast tunnels.
    v4(192, 88, 99, 0, 24),  // 6to4 relays.
    v4(192, 168, 0, 0, 16),  // Private.
    v4(192, 175, 48, 0, 24), // AS112.
    v4(198, 18, 0, 0, 15),   // Benchmarks.
    v4(198, 51, 100, 0, 24), // Documentation.
    v4(203, 0, 113, 0, 24),  // Documentation.
    v4(224, 0, 0, 0, 4),     // Multicast.
    v4(240, 0, 0, 0, 4),     // Reserved, broadcast at its end.
];

/// The one block of IPv6 from which public addresses are given. What lies outside is special, known or not: unspecified, loopback, v4-mapped, translated, unique local, link-local, multicast.
const PUBLIC_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// What is special inside of it.
const SPECIAL_V6: [Ipv6Net; 6] = [
    v6(0x2001, 0, 0, 23),         // Protocol assignments, Teredo among them.
    v6(0x2001, 0xdb8, 0, 32),     // Documentation.
    v6(0x2002, 0, 0, 16),         // 6to4, which carries any IPv4 address.
    v6(0x2620, 0x4f, 0x8000, 48), // AS112.
    v6(0x3ffe, 0, 0, 16),         // The former test network.
    v6(0x3fff, 0, 0, 20),         // Documentation.
];

/// Whether an address is anything but a public host.
pub(super) fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => SPECIAL_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => !PUBLIC_V6.contains(&address) || SPECIAL_V6.iter().any(|net| net.contains(&address)),
    }
}

#[cfg(test)]
mod tests;
