//! One call: when it is tried again, and what is said of it in the end.

use std::time::Duration;

use domain::session::Delivered;
use http::StatusCode;
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;

use super::connect::Unconnected;
use super::exchange::{Prepared, Try, exchange};
use super::pool::{Lease, Origin};
use super::retry::{ATTEMPTS_MAX, retry_after};
use super::{Answer, CallFailure, Inner, OutgoingRequest, Resend, Terms};

/// The state of one call over its attempts.
pub(super) struct Call<'a> {
    pub(super) inner: &'a Inner,
    pub(super) terms: &'a Terms<'a>,
    /// New connections asked for.
    pub(super) attempts: u32,
    /// Whether the service may have seen an earlier attempt. What comes later can not make that undone.
    pub(super) maybe_sent: bool,
    /// Whether the one resend that a definition can allow has been used.
    pub(super) resent: bool,
    /// The 503 that asked to come back. It stays the answer as long as nothing of the second try was sent.
    pub(super) busy: Option<Answer>,
}

/// What to do after an attempt.
enum Next {
    /// A kept connection was closed before anything was written to it: at once, on a new one.
    Fresh,
    /// After a wait.
    Later(Duration),
    End(Delivered, Result<Answer, CallFailure>),
}

// === impl Call ===

impl Call<'_> {
    pub(super) async fn run(&mut self, request: &OutgoingRequest) -> (Delivered, Result<Answer, CallFailure>) {
        let refused = |refusal| (Delivered::No, Err(CallFailure::Refused(refusal)));
        let mut target = match self.inner.connect.policy.target(&request.url, &self.terms.route) {
            Ok(target) => target,
            Err(refusal) => return refused(refusal),
        };
        let identity = request.identity.as_deref().filter(|_| target.tls);
        target.identity = identity.map(|identity| identity.fingerprint);
        let prepared = match Prepared::new(request, &target) {
            Ok(prepared) => prepared,
            Err(refusal) => return refused(refusal),
        };
        let origin = self.inner.pool.origin(&target);
        self.terms.budget.pay_in();
        let mut kept = origin.take();
        loop {
            let next = match kept.take() {
                Some(lease) => self.attempt(&origin, lease, true, &prepared).await,
                None => {
                    self.attempts += 1;
                    let step = tracing::debug_span!(target: "tollhouse::step", "connect");
                    let connected = self.inner.connect.connect(&target, identity, self.terms.deadline).instrument(step).await;
                    count_connection(connected.as_ref().err());
                    match connected {
                        Ok(connected) => self.attempt(&origin, origin.adopt(connected), false, &prepared).await,
                        Err(unconnected) => self.after_unconnected(&unconnected),
                    }
                }
            };
            match next {
                Next::Fresh => {}
                Next::Later(wait) => sleep(wait).await,
                Next::End(delivered, result) => return (delivered, result),
            }
        }
    }

    async fn attempt(&mut self, origin: &Origin, mut lease: Lease, reused: bool, prepared: &Prepared) -> Next {
        let step = tracing::debug_span!(target: "tollhouse::step", "wait");
        match exchange(&mut lease, prepared, self.terms.deadline).instrument(step).await {
            Try::Answered { answer, complete } => {
                if complete {
                    origin.give_back(lease).await;
                }
                self.after_answer(answer, complete)
            }
            Try::Broken { failure, sent } => {
                tracing::debug!(failure = failure.reason(), sent, reused, "An exchange broke.");
                origin.discard(lease);
                self.after_break(failure, sent, reused)
            }
        }
    }

    fn after_unconnected(&mut self, unconnected: &Unconnected) -> Next {
        if unconnected.again
            && let Some(wait) = self.wait()
        {
            return Next::Later(wait);
        }
        self.unsent(unconnected.failure)
    }

    fn after_answer(&mut self, answer: Answer, complete: bool) -> Next {
        if self.terms.resend == Resend::Declared
            && !self.resent
            && complete
            && self.attempts < ATTEMPTS_MAX
            && answer.status == StatusCode::SERVICE_UNAVAILABLE.as_u16()
            && let Some(wait) = retry_after(&answer.headers)
            && self.is_time_for(wait)
            && self.terms.budget.pay_out()
        {
            self.resent = true;
            self.busy = Some(answer);
            return Next::Later(wait);
        }
        Next::End(if complete { Delivered::Yes } else { Delivered::Unknown }, Ok(answer))
    }

    fn after_break(&mut self, failure: CallFailure, sent: bool, reused: bool) -> Next {
        // Neither an address nor our certificate is judged otherwise the second time.
        let judged = matches!(failure, CallFailure::Refused(_) | CallFailure::Tls);
        let out_of_time = failure == CallFailure::Timeout;
        if !sent && !out_of_time && (reused || !judged) {
            if reused {
                return Next::Fresh;
            }
            if let Some(wait) = self.wait() {
                return Next::Later(wait);
            }
        }
        if sent && !out_of_time && !judged && self.terms.resend == Resend::Declared && !self.resent {
            self.resent = true;
            self.maybe_sent = true;
            if let Some(wait) = self.wait() {
                return Next::Later(wait);
            }
        }
        if sent { Next::End(Delivered::Unknown, Err(failure)) } else { self.unsent(failure) }
    }

    /// The end of a call whose last try sent nothing: what came of an earlier one counts.
    fn unsent(&mut self, failure: CallFailure) -> Next {
        match self.busy.take() {
            Some(answer) => Next::End(Delivered::Yes, Ok(answer)),
            None => Next::End(if self.maybe_sent { Delivered::Unknown } else { Delivered::No }, Err(failure)),
        }
    }

    /// `None` when the attempts are used up, or the time is, or what the service may be sent again.
    fn wait(&self) -> Option<Duration> {
        let wait = self.inner.backoff.wait();
        (self.attempts < ATTEMPTS_MAX && self.is_time_for(wait) && self.terms.budget.pay_out()).then_some(wait)
    }

    fn is_time_for(&self, wait: Duration) -> bool {
        Instant::now().checked_add(wait).is_some_and(|then| then < self.terms.deadline)
    }
}

fn count_connection(unconnected: Option<&Unconnected>) {
    let result = unconnected.map_or("connected", |unconnected| unconnected.failure.reason());
    metrics::counter!("tollhouse_outbound_connections_total", "result" => result).increment(1);
}
