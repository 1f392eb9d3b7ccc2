//! The internal listener: health and measurements, for machines of the house.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{Either, Full};
use tower::ServiceExt as _;

use crate::accept::{App, Received};
use crate::telemetry::measurements::Measurements;

/// What Prometheus expects its text to be called.
const PROMETHEUS_TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// `/metrics` beside what the health router answers.
pub(super) fn app(health: impl App, measurements: Measurements) -> impl App {
    tower::service_fn(move |request: Request<Received>| {
        let (health, measurements) = (health.clone(), measurements.clone());
        async move {
            if request.uri().path() == "/metrics" && request.method() == Method::GET {
                let mut page = Response::new(Either::Left(Full::new(Bytes::from(measurements.render()))));
                page.headers_mut().insert(CONTENT_TYPE, PROMETHEUS_TEXT);
                return Ok::<_, Infallible>(page);
            }
            Ok(health.oneshot(request).await?.map(Either::Right))
        }
    })
}
