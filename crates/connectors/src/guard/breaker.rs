//! A circuit breaker: a service that fails is left alone for a moment and asked by one call before all others come back.
//!
//! Pure: moments come from outside, nothing is logged here. A call carries the [`Pass`] with which it was let in, and what it tells counts only while the breaker is as it was then: a call that was on its way when the breaker opened says nothing about how the service is after that.

use std::time::Duration;

use tokio::time::Instant;

/// How many seconds of calls are looked at: enough of them for a caller who is not busy, few enough that what is over is forgotten.
const SECONDS: usize = 10;

/// Calls within the window before anything is said about them: below, a few that time out would cut a quiet service off.
const CALLS_MIN: u32 = 20;

/// With one failure in so many calls the service is failing. One that answers more often than not is still worth calling.
const CALLS_PER_FAILURE: u32 = 2;

/// How long a failing service is left alone. With a call that takes all of its 4.5 s to find out that nothing has changed, a service that is well again is called again within ten seconds.
const OPEN_FOR: Duration = Duration::from_secs(3);

/// The breaker of one service.
#[derive(Debug)]
pub(super) struct Breaker {
    phase: Phase,
    /// Moves with every change of the phase.
    era: u64,
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Calls pass.
    Closed,
    /// One call passes.
    HalfOpen,
    /// None does.
    Open,
}

#[derive(Debug)]
enum Phase {
    Closed(Window),
    Open { until: Instant },
    HalfOpen(Probe),
}

/// The one session that a half-open breaker lets in.
#[derive(Debug, PartialEq, Eq)]
enum Probe {
    /// Nobody is on the way: the last one has asked nothing.
    Awaited,
    Asking,
    /// The service has answered at least once and failed never.
    Answered,
}

/// Under which state a session was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    era: u64,
    is_probe: bool,
}

/// What a call says about the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It answers, be it a refusal.
    Answers,
    /// No answer, or one that says that it fails.
    Fails,
}

/// Calls and failures of the last seconds, a place for each second.
#[derive(Debug)]
struct Window {
    since: Instant,
    seconds: [Second; SECONDS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    /// Since the window began.
    number: usize,
    calls: u32,
    failures: u32,
}

// === impl Breaker ===

impl Breaker {
    pub(super) fn new(now: Instant) -> Self {
        Self { phase: Phase::Closed(Window::new(now)), era: 0 }
    }

    pub(super) fn state(&self) -> State {
        match self.phase {
            Phase::Closed(_) => State::Closed,
            Phase::HalfOpen(_) => State::HalfOpen,
            Phase::Open { .. } => State::Open,
        }
    }

    /// Lets a session in, or not. Whoever is let in leaves again by [`Self::leave`].
    pub(super) fn admit(&mut self, now: Instant) -> Option<Pass> {
        match &mut self.phase {
            Phase::Closed(_) => return Some(Pass { era: self.era, is_probe: false }),
            Phase::Open { until } if now < *until => return None,
            Phase::Open { .. } => self.turn(Phase::HalfOpen(Probe::Asking)),
            Phase::HalfOpen(probe @ Probe::Awaited) => *probe = Probe::Asking,
            Phase::HalfOpen(Probe::Asking | Probe::Answered) => return None,
        }
        Some(Pass { era: self.era, is_probe: true })
    }

    /// Hears how a call went.
    pub(super) fn hear(&mut self, now: Instant, pass: Pass, health: Health) {
        if pass.era != self.era {
            return;
        }
        let fails = match (&mut self.phase, health) {
            (Phase::Closed(window), _) => window.add(now, health),
            (Phase::HalfOpen(probe), Health::Answers) => {
                *probe = Probe::Answered;
                false
            }
            (Phase::HalfOpen(_), Health::Fails) => true,
            // Nobody is let in while it is open.
            (Phase::Open { .. }, _) => false,
        };
        if fails {
            self.turn(Phase::Open { until: now + OPEN_FOR });
        }
    }

    /// Ends what a pass was for. A probe that was answered closes the breaker, one that asked nothing leaves its place to the next.
    pub(super) fn leave(&mut self, now: Instant, pass: Pass) {
        if !pass.is_probe || pass.era != self.era {
            return;
        }
        match &mut self.phase {
            Phase::HalfOpen(Probe::Answered) => self.turn(Phase::Closed(Window::new(now))),
            Phase::HalfOpen(probe) => *probe = Probe::Awaited,
            Phase::Closed(_) | Phase::Open { .. } => {}
        }
    }

    fn turn(&mut self, phase: Phase) {
        self.phase = phase;
        self.era += 1;
    }
}

// === impl Window ===

impl Window {
    fn new(now: Instant) -> Self {
        Self { since: now, seconds: [Second::default(); SECONDS] }
    }

    /// Counts a call and says whether the service is failing now.
    fn add(&mut self, now: Instant, health: Health) -> bool {
        let number = usize::try_from(now.saturating_duration_since(self.since).as_secs()).unwrap_or(usize::MAX - SECONDS);
        let second = self.seconds.get_mut(number % SECONDS).expect("a remainder is a place");
        if second.number != number {
            *second = Second { number, calls: 0, failures: 0 };
        }
        second.calls += 1;
        if health == Health::Fails {
            second.failures += 1;
        }
        let recent = self.seconds.iter().filter(|second| second.number + SECONDS > number);
        let (calls, failures) = recent.fold((0, 0), |(calls, failures), second| (calls + second.calls, failures + second.failures));
        health == Health::Fails && calls >= CALLS_MIN && failures * CALLS_PER_FAILURE >= calls
    }
}

#[cfg(test)]
mod tests;
