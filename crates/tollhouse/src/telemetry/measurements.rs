//! Measurements, in the form that Prometheus reads.

use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Bounds of duration histograms in seconds: a session is some milliseconds of ours and up to thirty seconds of a payment service's.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Everything that was measured in this process.
#[derive(Clone)]
pub(crate) struct Measurements(PrometheusHandle);

impl Measurements {
    /// Begins to measure. Without a listener that shows them nothing is measured, which costs nothing.
    pub(crate) fn install() -> anyhow::Result<Self> {
        let recorder = PrometheusBuilder::new().set_buckets(SECONDS).context("the bounds of histograms")?.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).context("something else measures already")?;
        metrics::describe_gauge!("tollhouse_connections", "Connections of clients that are open.");
        metrics::describe_gauge!("tollhouse_database_writable", "1 while the last write came through, 0 while writing fails.");
        metrics::describe_histogram!("tollhouse_http_request_duration_seconds", "Time from the header of a request to its answer.");
        metrics::describe_gauge!(
            "tollhouse_audit_checkpoint_timestamp_seconds",
            "Until when the audit log is known to be covered by a signed checkpoint (Unix time)."
        );
        metrics::describe_counter!("tollhouse_audit_events_dropped_total", "Events of the audit log that were lost.");
        metrics::gauge!("tollhouse_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Self(handle))
    }

    /// The page that Prometheus reads.
    pub(crate) fn render(&self) -> String {
        self.0.render()
    }

    /// Folds recent samples into the histograms. Without it they pile up until somebody reads the page.
    pub(crate) fn fold(&self) {
        self.0.run_upkeep();
    }
}
