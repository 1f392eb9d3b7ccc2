//! One request over one connection, and what can be proved about it afterwards.

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderName};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Body as HttpBody;
use hyper::client::conn::TrySendError;
use tokio::time::{Instant, timeout_at};
use url::Position;

use super::connect::Body;
use super::egress::{EgressRefusal, Target, TargetHost};
use super::http2::Unanswered;
use super::pool::{Http1, Lease, Stream};
use super::wire::Ledger;
use super::{AGENT, ANSWER_BYTES_MAX, Answer, BodyFailure, CallFailure, OutgoingRequest};

/// A request that can be put on a connection of either version, more than once.
pub(super) struct Prepared {
    method: Method,
    authority: Authority,
    scheme: Scheme,
    path: PathAndQuery,
    headers: HeaderMap,
    body: Bytes,
}

/// What came of one try.
pub(super) enum Try {
    /// `complete` unless the body was cut off.
    Answered { answer: Answer, complete: bool },
    /// `sent` unless it is proved that nothing was, or the service has said that it did not look.
    Broken { failure: CallFailure, sent: bool },
}

/// Headers that belong to the connection or to the framing, which are ours; and the codings of an answer, of which we can read none.
const OURS: [HeaderName; 12] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    header::ACCEPT_ENCODING,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

// === impl Prepared ===

impl Prepared {
    pub(super) fn new(request: &OutgoingRequest, target: &Target) -> Result<Self, EgressRefusal> {
        let mut headers = request.headers.clone();
        for name in &OURS {
            headers.remove(name);
        }
        headers.entry(header::USER_AGENT).or_insert(AGENT);
        let path = PathAndQuery::try_from(&request.url[Position::BeforePath..Position::AfterQuery]).map_err(|_| EgressRefusal::Url)?;
        let authority = Authority::try_from(authority(target)).map_err(|_| EgressRefusal::Url)?;
        let scheme = if target.tls { Scheme::HTTPS } else { Scheme::HTTP };
        Ok(Self { method: request.method.clone(), authority, scheme, path, headers, body: request.body.clone() })
    }

    fn http1(&self) -> Result<Request<Body>, CallFailure> {
        let mut request = self.request(Uri::from(self.path.clone()), Version::HTTP_11, Full::new(self.body.clone()));
        let host = HeaderValue::from_str(self.authority.as_str()).map_err(|_| CallFailure::Refused(EgressRefusal::Url))?;
        request.headers_mut().insert(header::HOST, host);
        Ok(request)
    }

    fn http2(&self) -> Result<Request<()>, CallFailure> {
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(self.path.clone()).build();
        let mut request = self.request(uri.map_err(|_| CallFailure::Refused(EgressRefusal::Url))?, Version::HTTP_2, ());
        // As over HTTP/1.1, where the library does it: without a body only where the method has one.
        if !self.body.is_empty() || matches!(self.method, Method::POST | Method::PUT | Method::PATCH) {
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        Ok(request)
    }

    fn request<B>(&self, uri: Uri, version: Version, body: B) -> Request<B> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.version_mut() = version;
        *request.headers_mut() = self.headers.clone();
        request
    }
}

fn authority(target: &Target) -> String {
    let host = match &target.host {
        TargetHost::Name(name) => name.clone(),
        TargetHost::Address(std::net::IpAddr::V4(address)) => address.to_string(),
        TargetHost::Address(std::net::IpAddr::V6(address)) => format!("[{address}]"),
    };
    if target.usual_port() { host } else { format!("{host}:{}", target.port) }
}

/// Sends the request and reads the answer, all before the deadline.
pub(super) async fn exchange(lease: &mut Lease, prepared: &Prepared, deadline: Instant) -> Try {
    match lease {
        Lease::Http1(connection) => match prepared.http1() {
            Ok(request) => over_http1(connection, request, deadline).await,
            Err(failure) => Try::Broken { failure, sent: false },
        },
        Lease::Http2(stream) => match prepared.http2() {
            Ok(request) => over_http2(stream, request, prepared.body.clone(), deadline).await,
            Err(failure) => Try::Broken { failure, sent: false },
        },
    }
}

async fn over_http1(connection: &mut Http1, request: Request<Body>, deadline: Instant) -> Try {
    let mark = connection.ledger.written();
    match timeout_at(deadline, connection.sender.try_send_request(request)).await {
        Ok(Ok(response)) => receive(response, deadline).await,
        // The connection is used up either way, so it may be sealed: only then is an unchanged count a proof.
        Ok(Err(error)) => {
            let written = connection.ledger.seal(mark);
            Try::Broken { failure: failure(error.error().is_parse(), &connection.ledger), sent: written && !is_returned(&error) }
        }
        Err(_elapsed) => Try::Broken { failure: CallFailure::Timeout, sent: connection.ledger.seal(mark) },
    }
}

async fn over_http2(stream: &Stream, request: Request<()>, body: Bytes, deadline: Instant) -> Try {
    let mark = stream.ledger.written();
    match timeout_at(deadline, stream.sender.send(request, body)).await {
        Ok(Ok(response)) => receive(response, deadline).await,
        Ok(Err(Unanswered { error, sent })) => {
            let failure = failure(error.is_library(), &stream.ledger);
            // A connection that broke is over for every call on it, so it may be sealed: only then is an unchanged count a proof.
            let sent = sent && (!error.is_io() || stream.ledger.seal(mark));
            Try::Broken { failure, sent }
        }
        Err(_elapsed) => Try::Broken { failure: CallFailure::Timeout, sent: true },
    }
}

/// hyper gives a request back only when it has not begun to write it.
fn is_returned(error: &TrySendError<Request<Body>>) -> bool {
    error.message().is_some()
}

/// Why a connection broke; what did not look like HTTP is the library's word.
fn failure(is_malformed: bool, ledger: &Ledger) -> CallFailure {
    if ledger.is_refused() {
        return CallFailure::Tls;
    }
    if is_malformed { CallFailure::Malformed } else { CallFailure::Reset }
}

async fn receive<B: HttpBody<Data = Bytes> + Unpin>(response: Response<B>, deadline: Instant) -> Try {
    let (head, body) = response.into_parts();
    let coded = is_coded(&head.headers);
    let (body, complete) = match timeout_at(deadline, read(body)).await {
        Err(_elapsed) => return Try::Broken { failure: CallFailure::Timeout, sent: true },
        Ok(Err(ReadError::Broken)) => return Try::Broken { failure: CallFailure::Reset, sent: true },
        Ok(Err(ReadError::TooLong)) => (Err(BodyFailure::TooLong), false),
        Ok(Ok(bytes)) if coded && !bytes.is_empty() => (Err(BodyFailure::Undecodable), true),
        Ok(Ok(bytes)) => (Ok(bytes), true),
    };
    Try::Answered { answer: Answer { status: head.status.as_u16(), headers: head.headers, body }, complete }
}

fn is_coded(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().any(|coding| {
        let coding = coding.as_bytes().trim_ascii();
        !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")
    })
}

enum ReadError {
    TooLong,
    Broken,
}

/// Reads up to the limit and not a frame further. An answer that comes in one piece is not copied.
async fn read<B: HttpBody<Data = Bytes> + Unpin>(mut body: B) -> Result<Bytes, ReadError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > ANSWER_BYTES_MAX {
        return Err(ReadError::TooLong);
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ReadError::Broken)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > ANSWER_BYTES_MAX {
            return Err(ReadError::TooLong);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.reserve(announced.max(first.len() + data.len()));
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}
