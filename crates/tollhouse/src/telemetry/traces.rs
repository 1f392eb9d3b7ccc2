//! Traces, sent by OTLP over HTTP when one of the standard variables names a collector.
//!
//! The SDK's own batch processor exports from a thread without a runtime, where an async HTTP client can not work. So the queue and the task are ours: bounded, owned, and joined at shutdown.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter as _, SpanProcessor};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::warn;

/// The variables that switch traces on.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// Spans that wait to be sent, a session being a dozen; further ones are dropped, since a slow collector must not hold up payments.
const QUEUE_MAX: usize = 16_384;
/// Spans in one request to the collector, some 600 KB.
const BATCH_MAX: usize = 2_048;
/// The longest that a span waits for others.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// The longest that a shutdown waits for the collector.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(3);

/// The trace exporter of the process.
pub(super) struct Traces {
    provider: SdkTracerProvider,
    sender: JoinSet<()>,
}

impl Traces {
    /// `None` when no collector is named.
    pub(super) fn from_environment() -> anyhow::Result<Option<Self>> {
        let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if !ENDPOINTS.iter().any(is_set) {
            return Ok(None);
        }
        // Endpoint, headers and timeout come from the standard variables.
        let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build();
        let mut exporter = exporter.context("the trace exporter can not be set up")?;
        let resource = Resource::builder();
        let named = std::env::var_os("OTEL_SERVICE_NAME").is_some_and(|value| !value.is_empty());
        let resource = if named { resource } else { resource.with_service_name("tollhouse") }.build();
        exporter.set_resource(&resource);
        let (queue, spans) = mpsc::channel(QUEUE_MAX);
        let mut sender = JoinSet::new();
        sender.spawn(send(exporter, spans));
        let provider = SdkTracerProvider::builder().with_resource(resource).with_span_processor(Queue(Mutex::new(Some(queue)))).build();
        Ok(Some(Self { provider, sender }))
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("tollhouse")
    }

    /// Closes the queue and waits for the last batch.
    pub(super) async fn shut_down(mut self) {
        if let Err(error) = self.provider.shutdown() {
            warn!(%error, "The trace provider could not be shut down.");
        }
        if timeout(SHUTDOWN_WAIT, self.sender.join_next()).await.is_err() {
            warn!("The collector did not take the last traces in time.");
        }
    }
}

/// Takes ended spans; full or closed, it drops them.
#[derive(Debug)]
struct Queue(Mutex<Option<mpsc::Sender<SpanData>>>);

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        let dropped = match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => span.span_context.is_sampled() && queue.try_send(span).is_err(),
            None => false,
        };
        if dropped {
            metrics::counter!("tollhouse_trace_spans_dropped_total").increment(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        queue.map(drop).ok_or(OTelSdkError::AlreadyShutdown)
    }
}

async fn send(exporter: SpanExporter, mut spans: mpsc::Receiver<SpanData>) {
    loop {
        let mut batch = Vec::new();
        let Some(first) = spans.recv().await else { return };
        batch.push(first);
        let due = Instant::now() + BATCH_WAIT;
        while batch.len() < BATCH_MAX {
            match tokio::time::timeout_at(due, spans.recv()).await {
                Ok(Some(span)) => batch.push(span),
                Ok(None) | Err(_) => break,
            }
        }
        let lost = batch.len();
        if let Err(error) = exporter.export(batch).await {
            warn!(%error, spans = lost, "The collector did not take a batch of traces.");
        }
    }
}
