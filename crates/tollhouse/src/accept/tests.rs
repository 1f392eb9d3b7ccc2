//! The limits of the accept loop, on real sockets. The clock is paused: it jumps to the next timer whenever everything waits.

use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;

struct Server {
    address: SocketAddr,
    stop: Stop,
    /// Lets the requests to `/wait` go on.
    go_on: Arc<Notify>,
    tasks: JoinSet<()>,
}

/// `/wait` answers when it may, `/flood` with more than a socket holds, everything else with the length of the body.
async fn start(tls: Option<TlsAcceptor>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let go_on = Arc::new(Notify::new());
    let may = Arc::clone(&go_on);
    let app = tower::service_fn(move |request: Request<Received>| {
        let may = Arc::clone(&may);
        async move {
            let path = request.uri().path().to_owned();
            if path == "/wait" {
                may.notified().await;
            }
            let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let answer = if path == "/flood" { Bytes::from(vec![b'x'; 64 << 20]) } else { Bytes::from(body.len().to_string()) };
            Ok::<_, Infallible>(Response::new(Full::new(answer)))
        }
    });
    let stop = Stop { drain: CancellationToken::new(), abort: CancellationToken::new() };
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, app, tls, LIMITS, stop.clone()));
    Server { address, stop, go_on, tasks }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Reads until the server closes, and says what came and after how many seconds.
async fn rest(stream: &mut TcpStream) -> (String, u64) {
    let started = Instant::now();
    let mut bytes = Vec::new();
    // A reset is a close as well.
    if let Err(error) = stream.read_to_end(&mut bytes).await {
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    (String::from_utf8_lossy(&bytes).into_owned(), started.elapsed().as_secs())
}

/// Reads one answer with a content length below ten.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
    bytes.push(stream.read_u8().await.unwrap());
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn r51_a_silent_connection_is_closed_at_the_header_limit() {
    let server = start(None).await;
    let half = b"GET / HTTP/1.1\r\nhost: a\r\nx-half: ";
    for said in [&b""[..], b"PRI * HTTP/2.0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"G", half] {
        let mut stream = server.connect().await;
        stream.write_all(said).await.unwrap();
        let (_, seconds) = rest(&mut stream).await;
        assert_eq!(seconds, 10, "after {}", said.escape_ascii());
    }
}

#[tokio::test(start_paused = true)]
async fn r51_a_header_that_drips_is_closed_at_the_same_limit() {
    let server = start(None).await;
    let mut stream = server.connect().await;
    let started = Instant::now();
    let mut closed = false;
    for byte in b"GET / HTTP/1.1\r\nhost: a\r\n" {
        // One byte per second; the clock is paused, so this takes no time.
        tokio::time::sleep(Duration::from_secs(1)).await;
        closed = stream.write_all(&[*byte]).await.is_err();
        if closed {
            break;
        }
    }
    assert!(closed && started.elapsed() <= Duration::from_secs(13), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn r51_a_body_that_does_not_arrive_closes_the_connection_without_an_answer() {
    let server = start(None).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
    assert_eq!(rest(&mut stream).await, (String::new(), LIMITS.body.as_secs()));
}

#[tokio::test(start_paused = true)]
async fn r51_a_tls_handshake_that_does_not_begin_is_closed() {
    let server = start(Some(self_signed())).await;
    let mut stream = server.connect().await;
    assert_eq!(rest(&mut stream).await, (String::new(), 5));
}

#[tokio::test(start_paused = true)]
async fn the_next_request_may_come_late_but_must_then_come_fast() {
    let server = start(None).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(answer(&mut idle).await.starts_with("HTTP/1.1 200"));
    assert_eq!(rest(&mut idle).await, (String::new(), 75));

    let mut slow = server.connect().await;
    for _ in 0..3 {
        slow.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc").await.unwrap();
        assert!(answer(&mut slow).await.ends_with("\r\n\r\n3"));
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    slow.write_all(b"GET / HT").await.unwrap();
    assert_eq!(rest(&mut slow).await, (String::new(), 10));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_dropped() {
    let server = start(None).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /flood HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    // The header arrives; then nothing is read for longer than the limit.
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    tokio::time::sleep(LIMITS.write + Duration::from_secs(5)).await;
    let (text, _) = rest(&mut stream).await;
    assert!(text.len() < 64 << 20, "the rest was cut off");
}

#[tokio::test(start_paused = true)]
async fn r52_headers_beyond_the_limits_are_431() {
    let server = start(None).await;
    let many: String = (0..500).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = "a".repeat(64 * 1024);
    for request in [format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"), format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n")] {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let (text, _) = rest(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 431"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn r24_a_drain_finishes_what_was_accepted_and_closes_what_is_idle() {
    let mut server = start(None).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(answer(&mut idle).await.starts_with("HTTP/1.1 200"));
    let mut busy = server.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    // The loop has not run since these connected: they wait in the backlog, and are served all the same.
    let mut late = server.connect().await;
    server.stop.drain.cancel();
    late.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert_eq!(rest(&mut idle).await, (String::new(), 0));
    let (text, _) = rest(&mut late).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("connection: close"), "{text}");
    assert!(TcpStream::connect(server.address).await.is_err(), "nothing listens any more");
    server.go_on.notify_one();
    let (text, seconds) = rest(&mut busy).await;
    assert!(text.starts_with("HTTP/1.1 200") && seconds == 0, "{text}");
    assert!(server.tasks.join_next().await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_at_its_limit() {
    let mut server = start(None).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut first).await.0.starts_with("HTTP/1.1 200"));
    server.stop.drain.cancel();
    assert_eq!(rest(&mut busy).await, (String::new(), LIMITS.drain.as_secs()));
    assert!(server.tasks.join_next().await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn http2_is_spoken_and_an_idle_connection_is_told_goodbye() {
    let server = start(None).await;
    let io = hyper_util::rt::TokioIo::new(server.connect().await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let request = Request::post(format!("http://{}/", server.address)).body(Full::new(Bytes::from_static(b"four"))).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "4");
    let started = Instant::now();
    // The client answers pings, so only the idle limit ends this.
    assert!(tasks.join_next().await.unwrap().unwrap().is_ok());
    assert_eq!(started.elapsed().as_secs(), 75);
}

#[tokio::test(start_paused = true)]
async fn http2_peers_that_do_not_answer_pings_are_dropped() {
    let server = start(None).await;
    let mut stream = server.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await.unwrap();
    let (_, seconds) = rest(&mut stream).await;
    assert!((20..=41).contains(&seconds), "{seconds}");
}

#[test]
fn r53_errors_of_the_system_make_the_loop_pause_and_errors_of_a_peer_do_not() {
    const EMFILE: i32 = 24;
    assert!(!is_of_the_peer(&io::Error::from_raw_os_error(EMFILE)));
    assert!(is_of_the_peer(&io::ErrorKind::ConnectionAborted.into()));
    let mut pause = Pause::none();
    let pauses = std::iter::repeat_with(|| {
        pause = pause.longer();
        pause.0.as_millis()
    });
    assert_eq!(pauses.take(9).collect::<Vec<_>>(), [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
}

fn self_signed() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let files = crate::config::TlsFiles { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
    std::fs::write(&files.cert, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    tls::acceptor(&files).unwrap()
}

/// Frames of a client that knows nothing but their layout.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Sends frames until the server has had enough, and says how many of them it took.
async fn flood(server: &Server, frames: impl Iterator<Item = Vec<u8>>) -> usize {
    let mut stream = server.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(4, 0, 0, b"")).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut drain = JoinSet::new();
    drain.spawn(async move {
        let mut seen = Vec::new();
        // A reset is an end as well.
        reader.read_to_end(&mut seen).await.ok();
        seen
    });
    let mut sent = 0;
    for bytes in frames {
        if writer.write_all(&bytes).await.is_err() {
            break;
        }
        sent += 1;
        tokio::task::yield_now().await;
    }
    drop(writer);
    let seen = drain.join_next().await.unwrap().unwrap();
    // Frame type 7 is GOAWAY; walking the frames finds it wherever it stands.
    let mut rest = seen.as_slice();
    let mut goodbye = false;
    while let [a, b, c, kind, _, _, _, _, _, after @ ..] = rest {
        goodbye |= *kind == 7;
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
        rest = after.get(length..).unwrap_or_default();
    }
    assert!(goodbye, "it was told goodbye");
    sent
}

/// `GET / http` with the authority `a`, in HPACK without a dynamic table.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x01, 0x01, b'a'];

#[tokio::test]
async fn r53_a_rapid_reset_ends_the_connection() {
    let server = start(None).await;
    let resets = (0..100_000_u32).map(|n| [frame(1, 5, 2 * n + 1, GET), frame(3, 0, 2 * n + 1, &[0, 0, 0, 8])].concat());
    let sent = flood(&server, resets).await;
    assert!(sent < 50_000, "{sent} streams were opened and reset");
    let mut other = server.connect().await;
    other.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut other).await.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn r53_a_header_without_end_ends_the_connection() {
    let server = start(None).await;
    let mut literal = vec![0x00, 0x03, b'x', b'-', b'y', 0x7f, 0x81, 0x3f];
    literal.resize(8 + 8192, b'z');
    let endless = std::iter::once(frame(1, 1, 1, GET)).chain((0..20_000).map(|_| frame(9, 0, 1, &literal)));
    let sent = flood(&server, endless).await;
    assert!(sent < 10_000, "{sent} continuations were taken");
}
