//! What an operator sees of a running process: log lines, traces if they are asked for, and measurements.

use std::io::IsTerminal;

use anyhow::Context as _;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Filter, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::cli::exit::UsageError;

pub(crate) mod measurements;
pub(crate) mod steps;
mod traces;

use steps::{LastSession, Steps};
use traces::Traces;

/// The variable of the filter. It has no `__`, since it also speaks for commands that read no configuration.
const FILTER_VARIABLE: &str = "TOLLHOUSE_LOG";

/// Crates whose finer levels print what goes over the wire: headers with tokens, bytes of bodies. No filter opens these.
const QUIET: &[&str] = &[
    "h2",
    "hyper",
    "hyper_util",
    "rustls",
    "tokio_rustls",
    "reqwest",
    "sqlx",
    "hickory_resolver",
    "hickory_net",
    "hickory_proto",
    "tower",
    "opentelemetry",
    "opentelemetry_sdk",
    "opentelemetry_otlp",
];

/// How much is logged where the variable says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    /// A server: what happens.
    Server,
    /// A server for whoever writes against it: where the time of each session goes as well.
    Development,
    /// A command that ends: what went wrong.
    Command,
}

/// Telemetry of the process. Dropping it loses the traces that are not sent yet; [`Telemetry::shut_down`] sends them.
pub(crate) struct Telemetry {
    traces: Option<Traces>,
    last_session: LastSession,
}

/// A layer with a filter of its own.
type Filtered = Box<dyn Layer<Registry> + Send + Sync>;

impl Telemetry {
    /// Installs the log, and traces if one of the standard variables names a collector. To be called once, inside the runtime.
    pub(crate) fn install(voice: Voice) -> anyhow::Result<Self> {
        let wanted = std::env::var_os(FILTER_VARIABLE).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
        let filter = || filter(&wanted, voice).map_err(|error| UsageError(format!("{FILTER_VARIABLE}: {error}")));
        let of_lines = filter()?;
        let traces = match voice {
            Voice::Server | Voice::Development => Traces::from_environment()?,
            Voice::Command => None,
        };
        let steps = Steps::default();
        let last_session = steps.last_session();
        let mut layers: Vec<Filtered> = Vec::new();
        if let Some(traces) = &traces {
            layers.push(tracing_opentelemetry::layer().with_tracer(traces.tracer()).with_filter(or_measured(filter()?)).boxed());
        }
        if voice == Voice::Development {
            layers.push(steps.with_filter(measured()).boxed());
        }
        let registry = tracing_subscriber::registry();
        let installed = if layers.is_empty() {
            // One filter for everything costs least, and no step of a session is even looked at.
            registry.with(lines()).with(of_lines).with(filter_fn(is_line)).try_init()
        } else {
            layers.push(lines().with_filter(only_lines(of_lines)).boxed());
            registry.with(layers).try_init()
        };
        installed.context("the log is installed already")?;
        match voice {
            Voice::Server | Voice::Development => log_panics(),
            Voice::Command => {}
        }
        Ok(Self { traces, last_session })
    }

    /// Where the time of the last session went, if that is measured.
    pub(crate) fn last_session(&self) -> LastSession {
        self.last_session.clone()
    }

    /// Sends what is left of the traces.
    pub(crate) async fn shut_down(self) {
        if let Some(traces) = self.traces {
            traces.shut_down().await;
        }
    }
}

/// The filter of a text. Empty text is the default of the voice.
fn filter(wanted: &str, voice: Voice) -> Result<EnvFilter, String> {
    let default = match voice {
        Voice::Server | Voice::Development => "info",
        Voice::Command => "warn",
    };
    let wanted = if wanted.trim().is_empty() { default } else { wanted };
    EnvFilter::builder().parse(wanted).map_err(|error| error.to_string())
}

/// Whether anything may be seen of it whatever the filter says. A filter of its own, since in the other the longest target wins: `h2::codec=trace` would open what `h2=warn` closes.
fn is_harmless(line: &Metadata<'_>) -> bool {
    let (crate_name, _) = line.target().split_once("::").unwrap_or((line.target(), ""));
    *line.level() <= Level::WARN || !QUIET.contains(&crate_name)
}

/// Whether it may be seen in the log. A step is not: a line names the span around it, and it is the request that has an id.
fn is_line(line: &Metadata<'_>) -> bool {
    is_harmless(line) && !steps::is_step(line)
}

// A filter that gives no hint of its level would open every level for the question whether it is wanted. So each of these gives one.

/// The filter of the log where other layers have filters as well.
fn only_lines(wanted: EnvFilter) -> impl Filter<Registry> {
    wanted.and(filter_fn(is_line).with_max_level_hint(LevelFilter::TRACE))
}

/// The filter of traces: what the log has, and requests with their steps at any level of the log. Without its request a step would be a trace of its own.
fn or_measured(wanted: EnvFilter) -> impl Filter<Registry> {
    wanted.or(measured()).and(filter_fn(is_harmless).with_max_level_hint(LevelFilter::TRACE))
}

/// Requests and their steps.
fn measured() -> impl Filter<Registry> {
    filter_fn(steps::is_measured).with_max_level_hint(LevelFilter::DEBUG)
}

/// A panic becomes a line of the log. Only a fixed text is repeated: a formatted one may hold whatever was at hand.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let what = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("not told");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic = what, place, "A part of the program panicked.");
    }));
}

/// Lines on standard error. A line that can not be written is lost: there is no other place to say so.
///
/// For people on a terminal, JSON anywhere else.
fn lines() -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    if std::io::stderr().is_terminal() {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Box::new(layer.compact().with_ansi(colour))
    } else {
        Box::new(layer.json().flatten_event(true).with_span_list(false))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts the lines that get through.
    #[derive(Clone, Default)]
    struct Lines(Arc<AtomicUsize>);

    impl<S: tracing::Subscriber> Layer<S> for Lines {
        fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_goes_over_the_wire_is_seen_at_no_level() {
        for wanted in ["trace", "h2=trace,hyper=trace", "h2::codec=trace,hyper::proto::h1=trace", "[request]=trace"] {
            let filter = || filter(wanted, Voice::Server).unwrap();
            check(wanted, |lines| tracing_subscriber::registry().with(lines).with(filter()).with(filter_fn(is_line)).into());
            check(wanted, |lines| tracing_subscriber::registry().with(lines.with_filter(only_lines(filter()))).into());
            check(wanted, |lines| tracing_subscriber::registry().with(lines.with_filter(or_measured(filter()))).into());
        }
        fn check(wanted: &str, log: impl FnOnce(Lines) -> tracing::Dispatch) {
            let lines = Lines::default();
            tracing::dispatcher::with_default(&log(lines.clone()), || {
                let _span = tracing::error_span!("request").entered();
                tracing::trace!(target: "h2::codec::framed_read", "canary");
                tracing::debug!(target: "hyper::proto::h1::io", "canary");
                tracing::info!(target: "sqlx", "canary");
                assert_eq!(lines.0.load(Ordering::Relaxed), 0, "{wanted}");
                tracing::error!(target: "h2", "The connection broke.");
                tracing::error!(target: "h2o", "Another crate.");
            });
            assert!(lines.0.load(Ordering::Relaxed) >= usize::from(!wanted.starts_with('h')), "{wanted}");
        }
    }

    #[test]
    fn steps_are_for_those_who_ask_for_them() {
        let is_on = |log: tracing::Dispatch| {
            tracing::dispatcher::with_default(&log, || !tracing::debug_span!(target: "tollhouse::step", "wait").is_disabled())
        };
        let lines = Lines::default;
        for wanted in ["", "warn", "trace", "tollhouse::step=trace"] {
            let filter = || filter(wanted, Voice::Server).unwrap();
            let registry = tracing_subscriber::registry;
            assert!(!is_on(registry().with(lines()).with(filter()).with(filter_fn(is_line)).into()), "{wanted}");
            assert!(!is_on(registry().with(lines().with_filter(only_lines(filter()))).into()), "{wanted}");
            assert!(is_on(registry().with(lines().with_filter(or_measured(filter()))).into()), "{wanted}");
            assert!(is_on(registry().with(lines().with_filter(measured())).into()), "{wanted}");
        }
        let hint = |filter: &dyn Filter<Registry>| filter.max_level_hint();
        let info = || filter("", Voice::Server).unwrap();
        assert_eq!(hint(&only_lines(info())), Some(LevelFilter::INFO));
        assert_eq!(hint(&or_measured(info())), Some(LevelFilter::DEBUG));
    }

    #[test]
    fn the_default_depends_on_the_voice_and_nonsense_is_refused() {
        assert!(filter("", Voice::Server).unwrap().to_string().contains("info"));
        assert!(!filter(" ", Voice::Command).unwrap().to_string().contains("info"));
        assert!(filter("tollhouse=loud", Voice::Server).is_err());
    }
}
