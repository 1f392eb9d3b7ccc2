//! Frames and connections in numbers that no client needs: the flood ends, the server goes on.

use std::time::{Duration, Instant};

use testkit::promise::Promise;
use testkit::raw::{PREFACE, Raw, frame, frames, kind, literal};
use testkit::server::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{descriptors, honest, kib, limit_open_files};
use crate::connections::over_tls;
use crate::support::{eventually, sqlite};

/// How long a flood may go on until the server has had enough: ten times what it takes on a slow machine.
const ENOUGH: Duration = Duration::from_secs(30);
/// What a flood may add to the memory of the server.
const GROWTH_KIB_MAX: u64 = 32 * 1024;
/// Frames in one piece that is written.
const PIECE_FRAMES: u32 = 64;

/// What is sent again and again.
#[derive(Clone, Copy, Debug)]
enum Flood {
    RapidReset,
    Continuation,
    Ping,
    Settings,
    Priority,
}

const FLOODS: [Flood; 5] = [Flood::RapidReset, Flood::Continuation, Flood::Ping, Flood::Settings, Flood::Priority];

/// How a flood ended.
struct Ended {
    frames: u32,
    said_goodbye: bool,
    after: Duration,
}

// === impl Flood ===

impl Flood {
    /// What comes before the first of them.
    fn beginning(self) -> Vec<u8> {
        let request = match self {
            Self::Continuation => frame(kind::HEADERS, 1, 1, &get()),
            Self::RapidReset | Self::Ping | Self::Settings | Self::Priority => Vec::new(),
        };
        [PREFACE, &frame(kind::SETTINGS, 0, 0, b""), &request].concat()
    }

    /// One of them.
    fn number(self, number: u32) -> Vec<u8> {
        match self {
            Self::RapidReset => {
                let stream = 2 * number + 1;
                [frame(kind::HEADERS, 5, stream, &get()), frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
            }
            Self::Continuation => frame(kind::CONTINUATION, 0, 1, &literal("x-more", &"z".repeat(1_000))),
            Self::Ping => frame(kind::PING, 0, 0, &[7; 8]),
            Self::Settings => frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]),
            Self::Priority => frame(2, 0, 1, &[0, 0, 0, 0, 1]),
        }
    }
}

/// `GET /healthz` in HPACK, nothing of it indexed.
fn get() -> Vec<u8> {
    [literal(":method", "GET"), literal(":scheme", "http"), literal(":path", "/healthz"), literal(":authority", "x")].concat()
}

/// Sends frames until the server has had enough, reading what it answers.
async fn flood(raw: Raw, flood: Flood, frames_max: u32) -> Ended {
    let began = Instant::now();
    let (mut reader, mut writer) = raw.split();
    let reading = async {
        let mut seen = Vec::new();
        // A reset is an end as well.
        while let Ok(1..) = reader.read_buf(&mut seen).await {}
        seen
    };
    let writing = async {
        let mut sent = 0;
        let mut open = writer.write_all(&flood.beginning()).await.is_ok();
        while open && sent < frames_max {
            let piece: Vec<u8> = (sent..sent + PIECE_FRAMES).flat_map(|number| flood.number(number)).collect();
            open = writer.write_all(&piece).await.is_ok();
            sent += PIECE_FRAMES;
        }
        sent
    };
    let both = tokio::time::timeout(ENOUGH, async { tokio::join!(reading, writing) }).await;
    let (seen, sent) = both.unwrap_or_else(|_| panic!("{flood:?} goes on after {ENOUGH:?}"));
    Ended { frames: sent, said_goodbye: frames(&seen).iter().any(|(kind, _, _)| *kind == kind::GOAWAY), after: began.elapsed() }
}

#[tokio::test]
async fn r53_floods_of_frames_end_the_connection_and_nothing_else() {
    let promise = Promise::new("R53");
    let times = promise.count(1, 20);
    let (plain, (secure, _)) = (sqlite().start().await, over_tls().await);
    let certificate = std::fs::read_to_string(secure.plan.file("cert.pem")).unwrap();
    let (mut count, mut goodbyes, mut measured) = (0, 0, Vec::new());
    for server in [&plain, &secure] {
        let mut before = 0;
        for which in FLOODS {
            for _ in 0..times {
                let raw = if server.base.starts_with("https") {
                    Raw::tls(&server.base, &certificate, "h2").await
                } else {
                    Raw::plain(&server.base).await
                };
                let ended = flood(raw, which, 400_000).await;
                goodbyes += u32::from(ended.said_goodbye);
                count += 1;
                honest_over(server, &certificate).await;
                measured.push(format!("{which:?} {} frames {} ms", ended.frames, ended.after.as_millis()));
            }
            // The first flood has warmed it.
            let now = kib(server, "VmRSS");
            before = if before == 0 { now } else { before };
            assert!(now.saturating_sub(before) < GROWTH_KIB_MAX, "{which:?}: {before} KiB before, {now} KiB after");
        }
    }
    assert!(goodbyes * 2 > count, "most floods were told goodbye: {goodbyes} of {count}");
    measured.truncate(2 * FLOODS.len());
    plain.end().await;
    secure.end().await;
    promise.kept(usize::try_from(count).unwrap(), &format!("floods ended, {goodbyes} with GOAWAY: {}", measured.join(", ")));
}

/// An honest request, over TLS where the server wants it.
async fn honest_over(server: &Server, certificate: &str) {
    if server.base.starts_with("http:") {
        return honest(server, "after a flood").await;
    }
    let mut raw = Raw::tls(&server.base, certificate, "http/1.1").await;
    raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = tokio::time::timeout(super::HONEST, raw.answer()).await.expect("an honest client is answered");
    assert_eq!(answer.unwrap().status, 200);
}

/// Who never reads what it has asked for can not make the server keep it.
#[tokio::test]
async fn r53_answers_that_nobody_reads_are_not_kept() {
    let promise = Promise::new("R53");
    let clients = promise.count(20, 200);
    let server = sqlite().start().await;
    honest(&server, "before").await;
    let before = kib(&server, "VmRSS");
    let mut open = Vec::new();
    for _ in 0..clients {
        let mut raw = Raw::plain(&server.base).await;
        // Below the limit of frames, each of which is owed an answer.
        let pings: Vec<u8> = (0..900).flat_map(|number| Flood::Ping.number(number)).collect();
        raw.send([Flood::Ping.beginning(), pings].concat()).await.unwrap();
        open.push(raw);
    }
    honest(&server, "while answers are owed").await;
    let grown = kib(&server, "VmRSS").saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "{clients} silent clients cost {grown} KiB");
    drop(open);
    server.end().await;
    promise.kept(clients, &format!("clients that do not read, grown by {grown} KiB"));
}

#[tokio::test]
async fn r53_a_server_without_descriptors_recovers() {
    let promise = Promise::new("R53");
    let connections = promise.count(64, 1_000);
    let server = sqlite().start().await;
    honest(&server, "before").await;
    let log = || server.log().contains("Connections can not be accepted at the moment.");
    assert!(!log());
    // So few more than it holds now.
    limit_open_files(server.process_id(), descriptors(&server) + 8).await;
    let mut open = Vec::new();
    for _ in 0..connections {
        // What is not accepted waits in the backlog of the system, and is connected all the same.
        open.push(Raw::plain(&server.base).await);
    }
    eventually("the limit is reached", async || log().then_some(())).await;
    drop(open);
    let began = Instant::now();
    honest(&server, "once descriptors are free again").await;
    let recovered = began.elapsed();
    honest(&server, "and after that").await;
    let (status, _plan) = server.terminate().await;
    assert!(status.success(), "and it can still end well: {status}");
    promise.kept(connections, &format!("connections at the limit of open files, recovered after {recovered:?}"));
}
