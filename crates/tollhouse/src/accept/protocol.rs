//! Which protocol a connection speaks, from its first bytes.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::timed::Timed;

/// The protocols of the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.1 and HTTP/1.0.
    Http1,
    /// HTTP/2 with prior knowledge or by ALPN.
    Http2,
}

/// What an HTTP/2 client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The header of a frame. A client's first one must be SETTINGS, so it is due with the preface.
const FRAME_HEADER_BYTES: usize = 9;

/// Reads as much as it takes to tell, under the transport's header deadline, and puts it back. `None`: the peer closed without a word.
pub(super) async fn detect<T: AsyncRead + Unpin>(io: &mut Timed<T>) -> io::Result<Option<Protocol>> {
    let mut seen = BytesMut::with_capacity(PREFACE.len() + FRAME_HEADER_BYTES);
    let protocol = loop {
        if io.read_buf(&mut seen).await? == 0 {
            return Ok(None);
        }
        if let Some(protocol) = judge(&seen) {
            break protocol;
        }
    };
    io.unread(seen.freeze());
    Ok(Some(protocol))
}

/// The protocol, once enough bytes are there to tell.
fn judge(seen: &[u8]) -> Option<Protocol> {
    if seen.len() >= PREFACE.len() + FRAME_HEADER_BYTES && seen.starts_with(PREFACE) {
        return Some(Protocol::Http2);
    }
    let same = seen.iter().zip(PREFACE).all(|(a, b)| a == b);
    (!same).then_some(Protocol::Http1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_different_byte_decides() {
        let mut whole = PREFACE.to_vec();
        whole.extend([0; FRAME_HEADER_BYTES]);
        for (bytes, expected) in [
            (&b"G"[..], Some(Protocol::Http1)),
            (b"P", None),
            (b"PO", Some(Protocol::Http1)),
            (b"PRI * HTTP/1", Some(Protocol::Http1)),
            (PREFACE, None),
            (&whole, Some(Protocol::Http2)),
            (b"\x16\x03\x01", Some(Protocol::Http1)),
        ] {
            assert_eq!(judge(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
