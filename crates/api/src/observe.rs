//! What is seen of every request from outside: its id, one line of log, one measurement. And what is not: a panic.

use std::any::Any;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method};
use tracing::Instrument as _;

use crate::{App, error};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of one request, at most. The library refuses more of them over HTTP/1.1 by itself, and HTTP/2 has no such limit of its own.
const HEADERS_MAX: usize = 100;

/// The id of a request: on its answer, in its log lines and in what it leaves behind.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

/// Gives each request an id of ours, whatever the client calls it.
pub(crate) async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = app.engine.ids().v7(app.engine.now()).to_string();
    let method = method_label(request.method());
    // The template and not the path: paths carry ids and query strings carry what callers search for.
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("unknown", MatchedPath::as_str);
    let span = tracing::info_span!("request", request_id = %id, http.request.method = method, http.route = route);
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = if request.headers().len() > HEADERS_MAX {
        error::too_many_headers().into_response()
    } else {
        next.run(request).instrument(span.clone()).await
    };
    let status = response.status();
    let elapsed = began.elapsed();
    metrics::histogram!("tollhouse_http_request_duration_seconds", "method" => method, "route" => route.to_owned(), "status" => status.as_str().to_owned())
        .record(elapsed.as_secs_f64());
    span.in_scope(|| {
        let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        if matches!(route, "/healthz" | "/readyz") {
            tracing::debug!(http.response.status_code = status.as_u16(), duration_ms, "{method} {route} was answered {}", status.as_u16());
        } else {
            tracing::info!(http.response.status_code = status.as_u16(), duration_ms, "{method} {route} was answered {}", status.as_u16());
        }
    });
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// What a client sees of a panic: nothing. It is logged inside the request's span, and so with its id.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = message.unwrap_or("not a text"), "A handler panicked");
    error::internal().into_response()
}

/// Clients can make up methods, and a measurement must not have a label for each.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
