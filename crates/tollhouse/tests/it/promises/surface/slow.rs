//! Connections that say too little: closed at the limits that the documentation promises, while an honest client goes on.

use std::time::{Duration, Instant};

use testkit::promise::{Promise, is_full};
use testkit::raw::Raw;
use testkit::server::Server;
use tokio::task::JoinSet;

use super::{HONEST, need_open_files};
use crate::connections::over_tls;
use crate::support::{simulated_adyen, sqlite};

const HEADER_LIMIT: Duration = Duration::from_secs(10);
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
const BODY_LIMIT: Duration = Duration::from_secs(30);

/// The clock of the server begins a little before ours.
const SLACK: Duration = Duration::from_millis(500);
/// The machine may be busy with thousands of connections.
const LATE: Duration = Duration::from_secs(25);

/// Sends a beginning, then one byte per interval; how long the connection lasted, which may not be much longer than its limit.
async fn drip(base: String, beginning: Vec<u8>, interval: Duration, limit: Duration) {
    let began = Instant::now();
    let mut raw = Raw::plain(&base).await;
    let mut open = raw.send(&beginning).await.is_ok();
    while open && began.elapsed() < limit + LATE {
        open = !raw.ends_within(interval).await && raw.send("a").await.is_ok();
    }
    let (elapsed, what) = (began.elapsed(), String::from_utf8_lossy(&beginning).chars().take(30).collect::<String>());
    assert!(!open, "`{what}` is still open after {elapsed:?}");
    assert!(elapsed + SLACK >= limit && elapsed < limit + LATE, "`{what}` was closed after {elapsed:?}");
}

/// Requests at a steady pace until the slow ones are gone; how long each took.
async fn steady(server: &Server, slow: &mut JoinSet<()>) -> Vec<Duration> {
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    let mut taken = Vec::new();
    while !slow.is_empty() {
        tokio::select! {
            ended = slow.join_next() => ended.unwrap().unwrap(),
            _ = pace.tick() => {
                let began = Instant::now();
                let caller = server.merchant();
                let reply = tokio::time::timeout(HONEST, caller.get("/roles")).await.expect("an honest client is answered");
                reply.expect(200);
                taken.push(began.elapsed());
            }
        }
    }
    taken
}

/// All cases at once, since each waits for a limit of the product.
#[tokio::test]
async fn r51_who_says_too_little_is_closed_and_an_honest_client_goes_on() {
    let promise = Promise::new("R51");
    let each = promise.count(100, 2_000);
    // A socket here and one in a server for each of two kinds, and what all three processes have open besides.
    need_open_files(3 * each + 500).await;
    let (server, (secure, _)) = (sqlite().start().await, over_tls().await);
    let id = simulated_adyen(&server, "adyen-card").await;
    let token = server.key.token(&["*.write"]);
    let body = format!(
        "POST /payment-services/{id}/sessions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 1000\r\n\r\n{{"
    );

    let mut slow = JoinSet::new();
    let mut begin = |server: &Server, count: usize, beginning: &[u8], interval, limit| {
        for _ in 0..count {
            slow.spawn(drip(server.base.clone(), beginning.to_vec(), interval, limit));
        }
    };
    let (five, never) = (Duration::from_secs(5), BODY_LIMIT + LATE);
    begin(&server, each, b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ", five, HEADER_LIMIT);
    begin(&secure, each, b"", never, HANDSHAKE_LIMIT);
    begin(&server, each.div_ceil(10), body.as_bytes(), Duration::from_secs(1), BODY_LIMIT);
    for beginning in [&b""[..], b"G", b"GET /healthz HTTP/1.1\r\nhost: x\r\n", b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        begin(&server, 1, beginning, never, HEADER_LIMIT);
    }
    begin(&secure, 1, b"\x16\x03\x01\x02\x00", never, HANDSHAKE_LIMIT);
    let count = slow.len();

    let mut taken = steady(&server, &mut slow).await;
    taken.sort_unstable();
    let p99 = taken[taken.len() * 99 / 100];
    if is_full() {
        // 100 ms are promised on a machine of one's own.
        assert!(p99 < Duration::from_secs(1), "p99 {p99:?} of {}", taken.len());
    }
    let answered = taken.len();
    server.end().await;
    secure.end().await;
    promise.kept(count, &format!("slow connections closed; {answered} honest requests answered, p99 {p99:?}"));
}
