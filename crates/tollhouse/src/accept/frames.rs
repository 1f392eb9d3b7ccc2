//! Frames of HTTP/2 that cost us more than their sender: those that want an answer and carry nothing, and those that undo what was begun.
//!
//! The HTTP/2 library answers pings and settings for ever, as long as the peer reads the answers, and forgets a reset stream once its request has been taken up. So the frames are counted where they arrive.

use std::time::Duration;

use tokio::time::Instant;

/// Such frames that one connection may send within [`WINDOW`]. A client pings every few seconds and gives up a request now and then; a hundred a second for ten seconds is no client. Proxies have the same limit for the answers that they owe.
pub(super) const CONTROL_FRAMES_MAX: u32 = 1_000;
/// Long enough for an honest burst, such as a client that gives up everything it has begun.
const WINDOW: Duration = Duration::from_secs(10);

/// What a client sends before its first frame.
const PREFACE_BYTES: usize = 24;
const HEADER_BYTES: usize = 9;

const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;

/// Counts the frames of one connection as their bytes pass, in pieces of any size.
#[derive(Debug)]
pub(super) struct Meter {
    /// Bytes up to the next header: the preface, then payloads.
    to_pass: usize,
    /// As much of a header as has arrived.
    header: Vec<u8>,
    window_began: Instant,
    counted: u32,
}

// === impl Meter ===

impl Meter {
    /// A connection whose preface is yet to pass.
    pub(super) fn new() -> Self {
        Self { to_pass: PREFACE_BYTES, header: Vec::with_capacity(HEADER_BYTES), window_began: Instant::now(), counted: 0 }
    }

    /// Takes the next bytes. Whether the peer has sent too many control frames.
    pub(super) fn is_flooded_by(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let (passed, rest) = bytes.split_at(self.to_pass.min(bytes.len()));
            self.to_pass -= passed.len();
            let (head, rest) = rest.split_at((HEADER_BYTES - self.header.len()).min(rest.len()));
            self.header.extend_from_slice(head);
            bytes = rest;
            if let &[a, b, c, kind, _, _, _, _, _] = self.header.as_slice() {
                self.to_pass = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
                self.header.clear();
                if matches!(kind, PRIORITY | RST_STREAM | SETTINGS | PING) {
                    self.count();
                }
            }
        }
        self.counted > CONTROL_FRAMES_MAX
    }

    fn count(&mut self) {
        if self.window_began.elapsed() > WINDOW {
            self.window_began = Instant::now();
            self.counted = 0;
        }
        self.counted = self.counted.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let [_, a, b, c] = u32::try_from(payload).unwrap().to_be_bytes();
        [vec![a, b, c, kind, 0, 0, 0, 0, 0], vec![PING; payload]].concat()
    }

    #[tokio::test(start_paused = true)]
    async fn frames_are_counted_in_pieces_of_any_size() {
        let few = frame(PING, 8).repeat(1_000);
        let many = frame(PING, 8).repeat(1_001);
        let others = [frame(0, 4), frame(1, 300), frame(8, 4), frame(9, 1)].concat().repeat(2_000);
        for (bytes, expected) in [(few, false), (many, true), (others, false), (frame(SETTINGS, 0).repeat(1_001), true)] {
            for piece in [1, 7, 9, 17, 4_096, bytes.len()] {
                let mut meter = Meter::new();
                let whole = [vec![b'P'; PREFACE_BYTES], bytes.clone()].concat();
                let last = whole.chunks(piece).map(|piece| meter.is_flooded_by(piece)).last();
                assert_eq!(last, Some(expected), "{} bytes in pieces of {piece}", bytes.len());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_lasts_may_send_many() {
        let mut meter = Meter::new();
        assert!(!meter.is_flooded_by(&[0; PREFACE_BYTES]));
        for _ in 0..20 {
            assert!(!meter.is_flooded_by(&frame(PING, 8).repeat(900)));
            tokio::time::advance(WINDOW + Duration::from_secs(1)).await;
        }
    }
}
