//! Where the time of a session goes: its steps, added up and told in one line.
//!
//! A step is a span of the target `tollhouse::step`, made where the work is done. Here they are only measured: each adds its time to the request that it belongs to, and when the request ends, a session's are told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id};
use tracing::{Metadata, Subscriber, info};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// In the order in which a session takes them.
const STEPS: [&str; 9] = ["accept", "token", "load", "open", "render", "connect", "wait", "classify", "record"];

/// The step that every session has and no other request, however the session ends.
const RECORD: &str = "record";

/// Adds up the steps of each request. To be filtered by [`is_measured`].
#[derive(Default)]
pub(super) struct Steps(LastSession);

/// Where the time of the last session went, in words.
#[derive(Clone, Default)]
pub(crate) struct LastSession(Arc<Mutex<Option<String>>>);

/// A step on its way.
struct Step {
    name: &'static str,
    began: Instant,
    /// The time of steps inside of it, which is theirs.
    inside: Duration,
}

/// What a request has spent so far.
struct Spent {
    began: Instant,
    /// One for each of [`STEPS`], `None` for those that it has not taken.
    steps: [Option<Duration>; STEPS.len()],
}

/// Whether it is the span of a step.
pub(super) fn is_step(span: &Metadata<'_>) -> bool {
    span.target() == "tollhouse::step"
}

/// Whether it is the span of a step or of the request that it is a part of.
pub(super) fn is_measured(span: &Metadata<'_>) -> bool {
    is_step(span) || is_request(span)
}

fn is_request(span: &Metadata<'_>) -> bool {
    span.is_span() && span.name() == "request" && span.target().starts_with("api::")
}

// === impl Steps, LastSession ===

impl Steps {
    /// Shared with this layer.
    pub(super) fn last_session(&self) -> LastSession {
        self.0.clone()
    }
}

impl LastSession {
    /// `None` where nothing is measured or no session has ended since it was asked for.
    pub(crate) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Steps {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let began = Instant::now();
        if is_step(span.metadata()) {
            span.extensions_mut().insert(Step { name: span.name(), began, inside: Duration::ZERO });
        } else if is_request(span.metadata()) {
            span.extensions_mut().insert(Spent { began, steps: [None; STEPS.len()] });
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        // Taken out first: a line that is written below may want to look at the span as well.
        let (step, spent) = {
            let mut extensions = span.extensions_mut();
            (extensions.remove::<Step>(), extensions.remove::<Spent>())
        };
        if let Some(step) = step {
            add(&step, &span);
        }
        if let Some(text) = spent.filter(Spent::is_of_a_session).map(|spent| spent.text()) {
            info!(target: "tollhouse::steps", parent: id, "{text}");
            *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
    }
}

/// Adds a step that has ended to its request. The whole of it is taken off the step around it, if there is one.
fn add<'a, S: Subscriber + LookupSpan<'a>>(step: &Step, span: &SpanRef<'a, S>) {
    let whole = step.began.elapsed();
    let mut is_inside = false;
    for outer in span.scope().skip(1) {
        let mut extensions = outer.extensions_mut();
        if let Some(spent) = extensions.get_mut::<Spent>() {
            spent.add(step.name, whole.saturating_sub(step.inside));
            return;
        }
        if let Some(around) = extensions.get_mut::<Step>().filter(|_| !is_inside) {
            around.inside += whole;
            is_inside = true;
        }
    }
}

// === impl Spent ===

impl Spent {
    fn add(&mut self, name: &str, time: Duration) {
        for (_, spent) in STEPS.iter().zip(&mut self.steps).filter(|(step, _)| **step == name) {
            *spent = Some(spent.unwrap_or_default() + time);
        }
    }

    fn is_of_a_session(&self) -> bool {
        STEPS.iter().zip(&self.steps).any(|(step, time)| *step == RECORD && time.is_some())
    }

    fn text(&self) -> String {
        let taken = STEPS.iter().zip(&self.steps).filter_map(|(step, time)| Some((*step, (*time)?)));
        let everything = std::iter::once(("everything", self.began.elapsed()));
        let told = taken.chain(everything).map(|(step, time)| format!("{step} {:.2} ms", time.as_secs_f64() * 1_000.0));
        told.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use tracing::{Span, debug_span, info_span};
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// The steps that are told of one request, without their times.
    fn told(request: impl FnOnce()) -> Option<Vec<String>> {
        let steps = Steps::default();
        let last = steps.last_session();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(steps.with_filter(filter_fn(is_measured))), || {
            info_span!(target: "api::observe", "request").in_scope(request);
        });
        let text = last.take()?;
        assert!(text.split(", ").all(|step| step.ends_with(" ms")), "{text}");
        Some(text.split(", ").map(|step| step.split(' ').next().unwrap().to_owned()).collect())
    }

    /// All steps, in an order in which nobody takes them.
    fn every_step() -> Vec<Span> {
        vec![
            debug_span!(target: "tollhouse::step", "record"),
            debug_span!(target: "tollhouse::step", "classify"),
            debug_span!(target: "tollhouse::step", "wait"),
            debug_span!(target: "tollhouse::step", "connect"),
            debug_span!(target: "tollhouse::step", "render"),
            debug_span!(target: "tollhouse::step", "open"),
            debug_span!(target: "tollhouse::step", "load"),
            debug_span!(target: "tollhouse::step", "token"),
            debug_span!(target: "tollhouse::step", "accept"),
        ]
    }

    #[test]
    fn a_session_is_told_in_the_order_of_its_steps() {
        let whole: Vec<&str> = STEPS.into_iter().chain(["everything"]).collect();
        assert_eq!(told(|| drop(every_step())).unwrap(), whole);
        // Twice is once more of the same, and a span of somebody else's changes nothing.
        let twice = || {
            let _around = info_span!("outbound_call").entered();
            drop((every_step(), every_step()));
            drop(debug_span!(target: "tollhouse::step", "unheard_of"));
        };
        assert_eq!(told(twice).unwrap(), whole);
    }

    #[test]
    fn what_was_not_done_is_not_told_and_what_is_no_session_not_at_all() {
        let failed = || {
            drop(debug_span!(target: "tollhouse::step", "token"));
            drop(debug_span!(target: "tollhouse::step", "record"));
        };
        assert_eq!(told(failed).unwrap(), ["token", "record", "everything"]);
        assert_eq!(told(|| drop(debug_span!(target: "tollhouse::step", "token"))), None);
        assert_eq!(told(|| drop(debug_span!("record"))), None, "a span of another target is no step");
    }

    #[test]
    fn a_request_is_told_when_the_last_of_it_has_ended_elsewhere() {
        let steps = Steps::default();
        let last = steps.last_session();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(steps.with_filter(filter_fn(is_measured))), || {
            let request = info_span!(target: "api::observe", "request");
            let step = request.in_scope(|| debug_span!(target: "tollhouse::step", "record"));
            drop(request);
            assert!(last.take().is_none());
            drop(step);
            assert!(last.take().is_some());
        });
    }

    #[test]
    fn a_step_inside_of_another_is_counted_once() {
        let subscriber = tracing_subscriber::registry().with(Steps::default().with_filter(filter_fn(is_measured)));
        let spans = tracing::Dispatch::new(subscriber);
        tracing::dispatcher::with_default(&spans, || {
            let registry = spans.downcast_ref::<tracing_subscriber::Registry>().unwrap();
            let of = |span: &Span| tracing_subscriber::registry::LookupSpan::span(registry, &span.id().unwrap()).unwrap();
            let request = info_span!(target: "api::observe", "request").entered();
            let around = debug_span!(target: "tollhouse::step", "wait").entered();
            let between = info_span!("outbound_call").entered();
            let inner = debug_span!(target: "tollhouse::step", "connect");
            // An hour ago, so that nothing depends on how fast this is.
            let hour = Duration::from_secs(3_600);
            for span in [&around, &inner] {
                of(span).extensions_mut().get_mut::<Step>().unwrap().began -= hour;
            }
            drop(inner);
            drop(between);
            drop(around);
            let steps = of(&request).extensions().get::<Spent>().unwrap().steps;
            let (connect, wait) = (steps[5].unwrap(), steps[6].unwrap());
            assert!(connect >= hour, "{connect:?}");
            assert!(wait < hour / 2, "the hour is the inner one's: {wait:?}");
        });
    }
}
