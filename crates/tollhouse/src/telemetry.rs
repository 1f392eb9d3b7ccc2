//! What an operator sees of a running process: log lines, traces if they are asked for, and measurements.

use std::io::IsTerminal;

use anyhow::Context as _;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::cli::exit::UsageError;

pub(crate) mod measurements;
mod traces;

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
    /// A command that ends: what went wrong.
    Command,
}

/// Telemetry of the process. Dropping it loses the traces that are not sent yet; [`Telemetry::shut_down`] sends them.
pub(crate) struct Telemetry {
    traces: Option<Traces>,
}

impl Telemetry {
    /// Installs the log, and traces if one of the standard variables names a collector. To be called once, inside the runtime.
    pub(crate) fn install(voice: Voice) -> anyhow::Result<Self> {
        let wanted = std::env::var_os(FILTER_VARIABLE).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
        let filter = filter(&wanted, voice).map_err(|error| UsageError(format!("{FILTER_VARIABLE}: {error}")))?;
        let traces = match voice {
            Voice::Server => Traces::from_environment()?,
            Voice::Command => None,
        };
        let traced = traces.as_ref().map(|traces| tracing_opentelemetry::layer().with_tracer(traces.tracer()));
        tracing_subscriber::registry().with(lines()).with(traced).with(filter).try_init().context("the log is installed already")?;
        if voice == Voice::Server {
            log_panics();
        }
        Ok(Self { traces })
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
        Voice::Server => "info",
        Voice::Command => "warn",
    };
    let wanted = if wanted.trim().is_empty() { default } else { wanted };
    let mut filter: EnvFilter = EnvFilter::builder().parse(wanted).map_err(|error| error.to_string())?;
    for target in QUIET {
        let directive: Directive = format!("{target}=warn").parse().map_err(|_| format!("`{target}` is no target"))?;
        filter = filter.add_directive(directive);
    }
    Ok(filter)
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
    use super::*;

    #[test]
    fn what_goes_over_the_wire_is_logged_at_no_level() {
        let text = filter("trace", Voice::Server).unwrap().to_string();
        for target in QUIET {
            assert!(text.contains(&format!("{target}=warn")), "{text}");
        }
        let text = filter("h2=trace,hyper=trace,info", Voice::Server).unwrap().to_string();
        assert!(!text.contains("h2=trace") && !text.contains("hyper=trace"), "{text}");
    }

    #[test]
    fn the_default_depends_on_the_voice_and_nonsense_is_refused() {
        assert!(filter("", Voice::Server).unwrap().to_string().contains("info"));
        assert!(!filter(" ", Voice::Command).unwrap().to_string().contains("info"));
        assert!(filter("tollhouse=loud", Voice::Server).is_err());
    }
}
