//! A forward proxy that calls go through: a tunnel is asked for with CONNECT, and what goes through it is ours and the payment service's alone.
//!
//! The proxy resolves the name, so that the guard can not look at addresses; it vets what the URL says, and the rest is up to the proxy. Its own address is the operator's choice and under no rule.

use std::fmt;
use std::io;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Secret;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use url::{Host, Url};

use super::egress::TargetHost;

/// The head of the proxy's answer. It says yes or no; a page about why is not read.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// An HTTP proxy, as the operator names it.
#[derive(Clone)]
pub struct Proxy {
    pub(super) host: TargetHost,
    pub(super) port: u16,
    /// The value of `proxy-authorization`.
    authorization: Option<Secret>,
}

/// Why a text names no proxy. Never holds the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Not a URL of this form.
    #[error(
        "must be a URL such as http://proxy.internal:3128 or http://user:password@proxy.internal:3128, without path, query and fragment"
    )]
    Form,
    /// TLS to the proxy itself.
    #[error("must begin with http://: what goes through the proxy is encrypted from end to end, the way to the proxy itself is not")]
    Scheme,
}

/// Why there is no tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoTunnel {
    /// The proxy says no, or speaks something else. It would again.
    Refused,
    /// The proxy says that it can not reach the payment service.
    Unreachable,
    /// The connection to the proxy broke.
    Broken,
}

// === impl Proxy ===

impl Proxy {
    /// Reads `http://[user:password@]host:port`; without a port it is 80.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let url = Url::parse(text).map_err(|_| ProxyError::Form)?;
        if url.scheme() != "http" {
            return Err(if url.scheme() == "https" { ProxyError::Scheme } else { ProxyError::Form });
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError::Form);
        }
        let host = match url.host().ok_or(ProxyError::Form)? {
            Host::Domain(name) => TargetHost::Name(name.trim_end_matches('.').to_owned()),
            Host::Ipv4(address) => TargetHost::Address(address.into()),
            Host::Ipv6(address) => TargetHost::Address(address.into()),
        };
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(ProxyError::Form)?;
        let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
        let authorization = (!url.username().is_empty() || url.password().is_some()).then(|| {
            let pair = [decoded(url.username()), b":".to_vec(), decoded(url.password().unwrap_or_default())].concat();
            Secret::from(format!("Basic {}", STANDARD.encode(pair)))
        });
        Ok(Self { host, port, authorization })
    }

    /// Asks for a tunnel and reads the answer, not a byte beyond it.
    pub(super) async fn open<S>(&self, stream: &mut S, host: &TargetHost, port: u16) -> Result<(), NoTunnel>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let authority = match host {
            TargetHost::Name(name) => format!("{name}:{port}"),
            TargetHost::Address(IpAddr::V4(address)) => format!("{address}:{port}"),
            TargetHost::Address(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        };
        let authorization = self.authorization.as_ref().and_then(Secret::expose_str);
        let authorization = authorization.map(|value| format!("proxy-authorization: {value}\r\n")).unwrap_or_default();
        let request = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{authorization}\r\n");
        let answer = async {
            stream.write_all(request.as_bytes()).await?;
            read_head(stream).await
        };
        let head = answer.await.map_err(|error| {
            tracing::debug!(%error, "The proxy gave no answer.");
            NoTunnel::Broken
        })?;
        match status(&head) {
            Some(200..=299) => Ok(()),
            Some(status @ 502..=504) => {
                tracing::debug!(status, "The proxy does not reach a payment service.");
                Err(NoTunnel::Unreachable)
            }
            status => {
                tracing::warn!(
                    status,
                    "The proxy (egress.proxy) makes no tunnel. With status 407 it does not know the user or the password."
                );
                Err(NoTunnel::Refused)
            }
        }
    }
}

impl fmt::Debug for Proxy {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Byte by byte: what comes behind the head belongs to the tunnel. A proxy is asked once per connection, so that it may cost a little.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the head of the proxy's answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head).ok()?.split("\r\n").next()?;
    let (version, rest) = line.split_once(' ')?;
    let status = rest.split(' ').next()?;
    (version.starts_with("HTTP/1.") && status.len() == 3).then(|| status.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(TargetHost, u16, Option<String>), ProxyError> {
        let secret = |secret: Secret| secret.expose_str().unwrap().to_owned();
        Proxy::parse(text).map(|proxy| (proxy.host, proxy.port, proxy.authorization.map(secret)))
    }

    #[test]
    fn a_proxy_is_a_host_a_port_and_perhaps_a_user() {
        let name = |name: &str| TargetHost::Name(name.to_owned());
        assert_eq!(parsed("http://proxy.internal:3128"), Ok((name("proxy.internal"), 3128, None)));
        assert_eq!(parsed("http://Proxy.Internal./"), Ok((name("proxy.internal"), 80, None)));
        assert_eq!(parsed("http://10.0.0.1:8080"), Ok((TargetHost::Address("10.0.0.1".parse().unwrap()), 8080, None)));
        assert_eq!(parsed("http://[fd00::1]:8080"), Ok((TargetHost::Address("fd00::1".parse().unwrap()), 8080, None)));
        // Aladdin:open sesame
        let basic = Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned());
        assert_eq!(parsed("http://Aladdin:open%20sesame@p:1"), Ok((name("p"), 1, basic)));
        assert_eq!(parsed("http://user@p:1"), Ok((name("p"), 1, Some("Basic dXNlcjo=".to_owned()))));
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_words() {
        for text in [
            "",
            "proxy:3128",
            "socks5://p:1",
            "http://",
            "http://p:1/path",
            "http://p:1/?q",
            "http://p:1/#f",
            "http://p:0",
            "http://p:99999",
        ] {
            assert_eq!(parsed(text), Err(ProxyError::Form), "{text}");
        }
        assert_eq!(parsed("https://canary:canary@p:1"), Err(ProxyError::Scheme));
        assert!(!format!("{:?} {}", Proxy::parse("http://canary:canary@p:1").unwrap(), ProxyError::Form).contains("canary"));
    }

    #[tokio::test]
    async fn the_answer_is_read_to_its_end_and_no_further() {
        let proxy = Proxy::parse("http://user:pass@p:1").unwrap();
        let open = async |answer: &'static [u8]| {
            let (mut ours, mut theirs) = tokio::io::duplex(64 * 1024);
            let told = async {
                let request = read_head(&mut theirs).await.unwrap();
                assert_eq!(
                    String::from_utf8(request).unwrap(),
                    "CONNECT [2606:4700::1111]:443 HTTP/1.1\r\nhost: [2606:4700::1111]:443\r\nproxy-authorization: Basic dXNlcjpwYXNz\r\n\r\n"
                );
                theirs.write_all(answer).await.unwrap();
                drop(theirs);
            };
            let host = TargetHost::Address("2606:4700::1111".parse().unwrap());
            let (opened, ()) = tokio::join!(proxy.open(&mut ours, &host, 443), told);
            let mut rest = Vec::new();
            ours.read_to_end(&mut rest).await.unwrap();
            (opened, rest)
        };
        assert_eq!(open(b"HTTP/1.1 200 Connection established\r\nx: y\r\n\r\nhello").await, (Ok(()), b"hello".to_vec()));
        assert_eq!(open(b"HTTP/1.0 200\r\n\r\n").await, (Ok(()), Vec::new()));
        assert_eq!(open(b"HTTP/1.1 407 Who are you\r\n\r\n").await.0, Err(NoTunnel::Refused));
        assert_eq!(open(b"HTTP/1.1 403 No\r\n\r\n").await.0, Err(NoTunnel::Refused));
        assert_eq!(open(b"SSH-2.0-OpenSSH\r\n\r\n").await.0, Err(NoTunnel::Refused));
        assert_eq!(open(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await.0, Err(NoTunnel::Unreachable));
        assert_eq!(open(b"HTTP/1.1 200 OK\r\n").await.0, Err(NoTunnel::Broken));
        const ENDLESS: &[u8] = &[b'a'; HEAD_BYTES_MAX + 1];
        assert_eq!(open(ENDLESS).await.0, Err(NoTunnel::Broken));
    }
}
