//! Payment services played offline, driven by the same definition files.
//!
//! A provider is reached at `/sim/<id>/<native path>`, over a real socket. It accepts every non-empty credential except values that begin with `invalid`, checks what its file `requires`, and a string value `simulate:decline|slow|401|429|500|malformed|drop` anywhere in the body selects that outcome.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use connectors::catalogue::Catalogue;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub mod fill;
pub mod form;
pub mod play;

use play::{Played, Received};

/// Larger than anything the server sends to a payment service: a form of a body of 1 MiB may reach 8.
const BODY_BYTES_MAX: usize = 16 << 20;

/// A simulated service answers at once; a connection that says nothing for this long is nobody's.
const HEADER_LIMIT: Duration = Duration::from_secs(30);

/// `simulate:slow` outlasts the longest time limit that a payment service can be given (30 s).
const SLOW: Duration = Duration::from_secs(40);

/// Wait after a failed accept: without file descriptors the next one fails as well.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The running simulators.
#[derive(Debug)]
pub struct Simulators {
    /// `http://<address>/sim`; a provider is one segment below.
    pub base: Url,
    tasks: TaskTracker,
}

/// Why a connection ends without an answer.
#[derive(Debug)]
struct Dropped;

/// Listens and plays until cancelled. The catalogue is read anew for each request, so that an edited file plays at once.
pub async fn start(catalogue: Arc<ArcSwap<Catalogue>>, listen: SocketAddr, cancel: CancellationToken) -> io::Result<Simulators> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let base = Url::parse(&format!("http://{address}/sim")).map_err(io::Error::other)?;
    let tasks = TaskTracker::new();
    let stage = Stage { catalogue, address, tasks: tasks.clone(), cancel };
    tasks.spawn(accept(listener, stage));
    Ok(Simulators { base, tasks })
}

// === impl Simulators ===

impl Simulators {
    /// Resolves when every connection has ended, after the token was cancelled.
    pub async fn ended(self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[derive(Clone)]
struct Stage {
    catalogue: Arc<ArcSwap<Catalogue>>,
    address: SocketAddr,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

async fn accept(listener: TcpListener, stage: Stage) {
    loop {
        let accepted = tokio::select! {
            () = stage.cancel.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                stage.tasks.spawn(serve(stream, stage.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the simulators could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, stage: Stage) {
    let cancel = stage.cancel.clone();
    let service = hyper::service::service_fn(move |request| answer(stage.clone(), request));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = cancel.cancelled() => {}
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "a connection to the simulators ended early");
        }
    }
}

async fn answer(stage: Stage, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return Ok(respond(StatusCode::PAYLOAD_TOO_LARGE, "application/json", Bytes::from_static(b"{}")));
    };
    let path = head.uri.path();
    if path.starts_with("/page/") {
        return Ok(respond(StatusCode::OK, "text/html; charset=utf-8", Bytes::from_static(PAGE)));
    }
    let below = path.strip_prefix("/sim/").unwrap_or_default();
    let (id, native) = below.split_once('/').unwrap_or((below, ""));
    // The whole value: a guard would be held for as long as `simulate:slow` takes.
    let catalogue = stage.catalogue.load_full();
    let Some(provider) = catalogue.provider(id) else {
        return Ok(respond(StatusCode::NOT_FOUND, "application/json", Bytes::from_static(br#"{"simulator":"no such payment service"}"#)));
    };
    let received = Received { method: head.method, path: format!("/{native}"), headers: head.headers, body: body.to_bytes() };
    match play::play(provider, &received, &fill::Maker::new(stage.address)) {
        Played::Answer { status, headers, body } => {
            let mut response = Response::new(Full::new(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        }
        Played::Drop => Err(Dropped),
        Played::Slow => {
            tokio::select! {
                () = stage.cancel.cancelled() => {}
                () = tokio::time::sleep(SLOW) => {}
            }
            Err(Dropped)
        }
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

const PAGE: &[u8] = b"<!doctype html><meta charset=utf-8><title>Simulated payment service</title>\
<p>A buyer would approve the payment here. This page belongs to a simulated payment service: nothing is charged.</p>\n";

// === impl Dropped ===

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dropped on request")
    }
}

impl std::error::Error for Dropped {}
