//! The few async lines between rendering and classifying: a token where one is needed, the call, one repeat with a new token.

use std::sync::Arc;
use std::time::Duration;

use domain::session::{Delivered, RecordedFacts, Session, SessionCode, SessionStatus};
use domain::{JsonObject, JsonText, MerchantAccountId, Problem, Secret, SessionRecordId, Timestamp};
use metrics::SharedString;
use tokio::time::Instant;
use uuid::Uuid;

use crate::answer::{self, Content};
use crate::body::{self, BodyError, Edits, Written};
use crate::catalogue::Connector;
use crate::classify::{self, classify};
use crate::credentials::{Credentials, Mode, TIMEOUT_MS_MAX};
use crate::facts::{self, Sources};
use crate::guard::{Guard, Guarded, Place, Teller, Unavailable};
use crate::mask::Mask;
use crate::model::{Call, Idempotency, IdempotencyPlace, Provider, Template, TokenCall, Verify};
use crate::outbound::{Answer, CallFailure, Exchange, Identity, IdentityPem, Outbound, OutgoingRequest, Resend, Route, Terms};
use crate::render::{Base, Filled, RenderError, check_answer, render, signed_by, unsignable};
use crate::scheme::AnswerError;
use crate::template_fill::{First, Values};
use crate::tokens::{Got, TokenFailure, TokenKey, Tokens};

pub use crate::classify::Verification;
pub use crate::render::Places;

mod token_call;

use self::token_call::Order;

/// Calls payment services. Cheap to clone; all clones share connections and tokens.
#[derive(Clone, Debug)]
pub struct Caller {
    outbound: Outbound,
    tokens: Tokens,
    places: Arc<Places>,
}

/// Whom to call, and with what.
#[derive(Clone, Debug)]
pub struct Access {
    /// The definition.
    pub connector: Arc<Connector>,
    /// The opened values.
    pub credentials: Credentials,
    /// The payment service's id: tokens are kept per service, and so are its calls in flight and its breaker. `None` for values that no service has yet.
    pub service: Option<Uuid>,
    /// Whose it is.
    pub account: MerchantAccountId,
}

/// One session, or one verification.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// The id of the first session under this attempt, sent along as idempotency key where the service takes one. A repetition is the same attempt.
    pub id: SessionRecordId,
    /// When it was asked for.
    pub now: Timestamp,
}

/// A body that nothing is wrong with. It holds what the request will carry where that is known before there is one, so that a megabyte is written once.
#[derive(Clone, Default)]
pub struct Checked {
    written: Option<Written>,
}

/// How a session ended.
#[derive(Clone, Debug)]
pub struct SessionOutcome {
    /// As the caller sees it.
    pub session: Session,
    /// Whether the payment service may have acted.
    pub delivered: Delivered,
    /// As the record keeps it.
    pub facts: RecordedFacts,
    /// Time spent on calls of the payment service, waiting for a token included; `None` if none was made.
    pub service_duration_ms: Option<i64>,
}

/// One call on its way.
struct Trip<'a> {
    access: &'a Access,
    call: &'a Call,
    attempt: &'a Attempt,
    body: Option<&'a JsonObject>,
    written: Option<&'a Written>,
    first: First<'a>,
    /// When the attempt's `now` was.
    started: Instant,
    deadline: Instant,
    identity: Option<Arc<Identity>>,
    teller: &'a Teller,
    spent: Option<Duration>,
}

/// How a trip ended.
enum End {
    Called(Exchange, Option<Arc<Secret>>),
    /// The answer is not one that the service has given to this request.
    NotBelieved(Delivered, u16, AnswerError),
    NoToken(TokenFailure),
    NotRendered(RenderError),
}

// === impl Caller ===

impl Caller {
    /// Nothing is connected yet.
    pub fn new(outbound: Outbound, places: Places) -> Self {
        Self { outbound, tokens: Tokens::default(), places: Arc::new(places) }
    }

    /// Waits for token calls and connections to end, at most this long. Call it when no session is left. Whether all have ended.
    pub async fn close(&self, patience: Duration) -> bool {
        let limit = Instant::now() + patience;
        let tokens = self.tokens.close(patience).await;
        let connections = self.outbound.close(limit.saturating_duration_since(Instant::now())).await;
        tokens && connections
    }

    /// What is wrong with a caller's body, all of it at once: repeated members where a rule looks, refused members, parents that are no objects, and what a form can not say.
    pub fn check(&self, access: &Access, body: &JsonObject) -> Result<Checked, Vec<Problem>> {
        let connector = &access.connector;
        // Neither the token nor the attempt nor a signature is known yet, nor the first answer; whatever they will be, they do not change what is wrong.
        let token = Secret::from("token");
        let attempt = SessionRecordId(Uuid::nil());
        let known = Values::new(&access.credentials, connector.method());
        let known = Values { token: Some(&token), attempt: Some(attempt), first: First::ToCome, ..known };
        let mut found: Vec<Problem> = Vec::new();
        let mut checked = Checked::default();
        let steps = connector.provider.session.iter().zip([true]).chain(connector.provider.second.iter().zip([false]));
        for (call, is_first) in steps {
            let signed = signed_by(connector, call, &access.credentials).stand_in();
            let values = Values { signed: Some(&signed), ..known };
            let problems = match body::write(&Edits::of(call, signed.members()), Some(body), &values) {
                Err(BodyError::Problems(problems)) => problems,
                Ok(Some(written)) => {
                    let problems = unsignable(connector, call, &written.bytes).into_iter().collect();
                    // The second step's body waits for the first answer.
                    if is_first && is_settled(&connector.provider, call) {
                        checked.written = Some(written);
                    }
                    problems
                }
                // Not the caller's fault: the session says so.
                Ok(None) | Err(BodyError::Fill(_) | BodyError::Definition(_)) => Vec::new(),
            };
            for problem in problems {
                // Both steps may find the same.
                if !found.contains(&problem) {
                    found.push(problem);
                }
            }
        }
        if found.is_empty() { Ok(checked) } else { Err(found) }
    }

    /// What a payment service is called in measurements: its id, or a name that it shares where there are too many. This is the one place that decides it.
    pub fn label(&self, service: Uuid) -> SharedString {
        self.outbound.guards().of(Guarded::Service(service)).label()
    }

    /// Creates a session with a payment service. Whatever goes wrong there is an answer. `checked` is what [`Caller::check`] said of the same body and the same access.
    pub async fn session(&self, access: &Access, attempt: &Attempt, body: &JsonObject, checked: &Checked) -> SessionOutcome {
        let Some(call) = &access.connector.provider.session else {
            // The engine asks first whether the definition creates sessions.
            return failed(SessionCode::InvalidServiceConfiguration, None, Delivered::No, RecordedFacts::default());
        };
        let place = match self.enter(access) {
            Ok(place) => place,
            Err(unavailable) => {
                tracing::debug!(payment_service.id = access.service.map(tracing::field::display), reason = ?unavailable, "A session is not let in.");
                let facts = facts::facts(call, &asked(body), &mask_of(access, None));
                return failed(SessionCode::ServiceUnavailable, None, Delivered::No, facts);
            }
        };
        let mut trip = self.trip(access, call, attempt, Some(body), place.teller());
        trip.written = checked.written.as_ref();
        let mut outcome = match &access.connector.provider.second {
            None => concluded(access, call, body, self.run(&mut trip, TokenSource::Shared).await),
            Some(second) => self.two_steps(&mut trip, second, body).await,
        };
        outcome.service_duration_ms = trip.spent.map(|spent| i64::try_from(spent.as_millis()).unwrap_or(i64::MAX));
        outcome
    }

    /// A session of two requests within one limit. The second is made when the first was a success, and its end is the session's.
    async fn two_steps(&self, trip: &mut Trip<'_>, second: &Call, body: &JsonObject) -> SessionOutcome {
        let (access, call) = (trip.access, trip.call);
        // What can not be made whatever the first step answers is found while nothing is sent.
        if let Err(error) = self.rehearse(&Trip { call: second, written: None, first: First::ToCome, identity: None, ..*trip }) {
            return concluded(access, call, body, End::NotRendered(error));
        }
        let end = self.run(trip, TokenSource::Shared).await;
        let answered = end.json(call);
        let first = concluded(access, call, body, end);
        if first.session.status == SessionStatus::Failed {
            return first;
        }
        let mut next = Trip { call: second, written: None, first: First::Here(answered.as_ref()), identity: None, ..*trip };
        let end = self.run(&mut next, TokenSource::Shared).await.after_an_answer();
        trip.spent = next.spent;
        let mut outcome = match end {
            // Everything else it is made of was there before.
            End::NotRendered(error) => {
                log_not_rendered(access, &error, "the second step of a session can not be made of the answer to the first");
                let facts = facts::facts(second, &asked(body), &mask_of(access, None));
                failed(SessionCode::InvalidServiceResponse, first.session.status_code, Delivered::Yes, facts)
            }
            end => concluded(access, second, body, end),
        };
        outcome.facts = facts::merged(first.facts, outcome.facts);
        outcome
    }

    /// Makes the request of a trip with a stand-in for the token, and sends nothing.
    fn rehearse(&self, trip: &Trip<'_>) -> Result<(), RenderError> {
        let base = self.places.base(&trip.access.connector, trip.call, &trip.access.credentials)?;
        trip.render(&base, Some(&Secret::from("token"))).map(|_| ())
    }

    /// Asks a payment service whether it takes the values. Its breaker is neither asked nor told: they are not the values that it is called with, and whoever asks wants to know.
    pub async fn verify(&self, access: &Access, attempt: &Attempt) -> Verification {
        let Ok(place) = self.guard(access).enter_unjudged() else { return Verification::NoAnswer };
        let teller = place.teller();
        let provider = &access.connector.provider;
        match (&provider.verify, &provider.token) {
            (Some(Verify::Call(call)), _) => {
                let mut trip = self.trip(access, call, attempt, None, teller);
                match self.run(&mut trip, TokenSource::Fresh).await {
                    End::Called(Exchange { result: Ok(answer), .. }, _) => classify::verified(call, &answer),
                    End::Called(..) | End::NotBelieved(..) => Verification::NoAnswer,
                    End::NoToken(failure) => verified_by_token(&failure),
                    End::NotRendered(error) => not_sent(&error),
                }
            }
            (Some(Verify::Token), Some(token)) => match self.token_request(access, attempt, token) {
                // A kept token would prove only that the values were right once.
                Ok((request, base)) => {
                    let order = self.order(access, teller, base.route, self.deadline(access), attempt.now);
                    match token_call::fetch(order, request).await {
                        Ok(_) => Verification::Accepted,
                        Err(failure) => verified_by_token(&failure),
                    }
                }
                Err(error) => not_sent(&error),
            },
            (Some(Verify::Token), None) | (None, _) => Verification::NotSupported,
        }
    }

    /// What the service is held to.
    fn guard(&self, access: &Access) -> Arc<Guard> {
        let unstored = || Guarded::Unstored(&access.account, access.connector.definition.id.as_str());
        self.outbound.guards().of(access.service.map_or_else(unstored, Guarded::Service))
    }

    /// Lets a session in. What is played has no health: its failures were asked for.
    fn enter(&self, access: &Access) -> Result<Place, Unavailable> {
        let guard = self.guard(access);
        if access.credentials.mode() == Mode::Simulator { guard.enter_unjudged() } else { guard.enter() }
    }

    fn trip<'a>(
        &self,
        access: &'a Access,
        call: &'a Call,
        attempt: &'a Attempt,
        body: Option<&'a JsonObject>,
        teller: &'a Teller,
    ) -> Trip<'a> {
        let (first, started, deadline) = (First::Never, Instant::now(), self.deadline(access));
        Trip { access, call, attempt, body, written: None, first, started, deadline, identity: None, teller, spent: None }
    }

    fn order(&self, access: &Access, teller: &Teller, route: Route, deadline: Instant, now: Timestamp) -> Order {
        Order { outbound: self.outbound.clone(), access: access.clone(), teller: teller.clone(), route, deadline, now }
    }

    /// One limit for everything that a session needs, the token included.
    pub fn time_limit(&self, access: &Access) -> Duration {
        match access.credentials.timeout_ms() {
            Some(ms) => Duration::from_millis(ms.min(TIMEOUT_MS_MAX)),
            None => self.outbound.call_timeout(),
        }
    }

    fn deadline(&self, access: &Access) -> Instant {
        Instant::now() + self.time_limit(access)
    }

    async fn run(&self, trip: &mut Trip<'_>, source: TokenSource) -> End {
        let base = || self.places.base(&trip.access.connector, trip.call, &trip.access.credentials);
        let base = tracing::debug_span!(target: "tollhouse::step", "render").in_scope(base);
        let base = match base {
            Ok(base) => base,
            Err(error) => return End::NotRendered(error),
        };
        trip.identity = match self.identity(trip.access, base.route) {
            Ok(identity) => identity,
            Err(error) => return End::NotRendered(error),
        };
        let Some(token_call) = trip.access.connector.provider.token.as_ref().filter(|_| token_call::is_needed(trip.access, trip.call))
        else {
            return self.send(trip, &base, None).await;
        };
        // Before the token is fetched: what can not be sent with any token needs none.
        let any = Secret::from("token");
        if let Err(error) = trip.render(&base, Some(&any)) {
            return End::NotRendered(error);
        }
        let first = match self.send_with_token(trip, &base, token_call, source).await {
            End::Called(exchange, Some(token)) if is_unauthorized(&exchange) => (exchange, token),
            end => return end,
        };
        if source == TokenSource::Fresh {
            return End::Called(first.0, Some(first.1));
        }
        if let Ok(token_base) = self.places.base(&trip.access.connector, &token_call.call, &trip.access.credentials) {
            self.tokens.forget(token_key(trip.access, &token_base), &first.1);
        }
        // A token may end before its time: one new one, once more. Only where the service would recognise the session; elsewhere the next one finds a new token.
        if trip.call.idempotency.is_none() {
            return End::Called(first.0, Some(first.1));
        }
        self.send_with_token(trip, &base, token_call, source).await.after_an_answer()
    }

    async fn send_with_token(&self, trip: &mut Trip<'_>, base: &Base, token_call: &TokenCall, source: TokenSource) -> End {
        let (request, token_base) = match self.token_request(trip.access, trip.attempt, token_call) {
            Ok(found) => found,
            Err(error) => return End::NotRendered(error),
        };
        let started = Instant::now();
        let order = || self.order(trip.access, trip.teller, token_base.route, trip.deadline, trip.attempt.now);
        let fetch = || token_call::fetch(order(), request);
        let got = match source {
            TokenSource::Shared => self.tokens.get(token_key(trip.access, &token_base), trip.deadline, fetch).await,
            TokenSource::Fresh => fetch().await.map(|fetched| Got { token: Arc::new(fetched.token), was_fetched: true }),
        };
        let was_called = match &got {
            Ok(got) => got.was_fetched,
            Err(failure) => failure.was_called(),
        };
        if was_called {
            trip.spend(started.elapsed());
        }
        match got {
            Ok(got) => self.send(trip, base, Some(got.token)).await,
            Err(failure) => End::NoToken(failure),
        }
    }

    async fn send(&self, trip: &mut Trip<'_>, base: &Base, token: Option<Arc<Secret>>) -> End {
        let request = match trip.render(base, token.as_deref()) {
            Ok(request) => request,
            Err(error) => return End::NotRendered(error),
        };
        let resend = resend(&trip.access.connector.provider, trip.call, &request, trip.body.is_some());
        let terms = Terms { route: base.route, deadline: trip.deadline, resend, budget: trip.teller.budget() };
        let exchange = watched(&self.outbound, trip.access, trip.teller, &request, &terms).await;
        if !matches!(exchange.result, Err(CallFailure::Refused(_))) {
            trip.spend(exchange.elapsed);
        }
        // What is played in this server has signed nothing.
        if let Ok(answer) = exchange.result.as_ref()
            && base.route != Route::Simulator
            && let Err(error) = trip.check(&request, answer, token.as_deref())
        {
            return End::NotBelieved(exchange.delivered, answer.status, error);
        }
        End::Called(exchange, token)
    }

    fn token_request(&self, access: &Access, attempt: &Attempt, token: &TokenCall) -> Result<(OutgoingRequest, Base), RenderError> {
        let _step = tracing::debug_span!(target: "tollhouse::step", "render").entered();
        let base = self.places.base(&access.connector, &token.call, &access.credentials)?;
        let credentials = &access.credentials;
        let filled = Filled { credentials, token: None, first: First::Never, attempt, now: attempt.now, body: None, written: None };
        let mut request = render(&access.connector, &token.call, &filled, &base)?;
        request.identity = self.identity(access, base.route)?;
        Ok((request, base))
    }

    /// The client certificate of a service whose definition has one; `None` where its fields are empty, and in the simulator, which knows nobody.
    fn identity(&self, access: &Access, route: Route) -> Result<Option<Arc<Identity>>, RenderError> {
        let Some(tls) = access.connector.provider.tls.as_ref().filter(|_| route != Route::Simulator) else { return Ok(None) };
        let value = |template: &Template| template.only_field().and_then(|key| access.credentials.get(key));
        let pem = IdentityPem { certificate: value(&tls.certificate), key: value(&tls.key), roots: tls.roots.as_ref().and_then(value) };
        if pem.certificate.or(pem.key).or(pem.roots).is_none() {
            return Ok(None);
        }
        Ok(Some(self.outbound.identity(&pem)?))
    }
}

/// Where the token of a call comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenSource {
    /// The one that all sessions of the service share.
    Shared,
    /// A call of its own: to verify values, not what they once were good for.
    Fresh,
}

// === impl Trip ===

impl Trip<'_> {
    fn render(&self, base: &Base, token: Option<&Secret>) -> Result<OutgoingRequest, RenderError> {
        let _step = tracing::debug_span!(target: "tollhouse::step", "render").entered();
        let mut request = render(&self.access.connector, self.call, &self.filled(token), base)?;
        request.identity.clone_from(&self.identity);
        Ok(request)
    }

    fn check(&self, request: &OutgoingRequest, answer: &Answer, token: Option<&Secret>) -> Result<(), AnswerError> {
        check_answer(&self.access.connector, self.call, &self.filled(token), request, answer)
    }

    fn filled<'f>(&'f self, token: Option<&'f Secret>) -> Filled<'f> {
        let Self { access, attempt, first, body, written, .. } = *self;
        Filled { credentials: &access.credentials, token, first, attempt, now: self.now(), body, written }
    }

    /// The attempt's moment and what has passed since, so that what is signed after waiting for a token is not signed with a moment gone by.
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.attempt.now.micros().saturating_add(passed))
    }

    fn spend(&mut self, time: Duration) {
        self.spent = Some(self.spent.unwrap_or_default() + time);
    }
}

// === impl End ===

impl End {
    /// What a call was answered, in its shape, with all that the caller will not see.
    fn json(&self, call: &Call) -> Option<JsonText> {
        match self {
            Self::Called(Exchange { result: Ok(answer), .. }, _) => match answer::content(call, answer) {
                Content::Json(text) => Some(text),
                Content::Empty | Content::Unusable => None,
            },
            Self::Called(..) | Self::NotBelieved(..) | Self::NoToken(_) | Self::NotRendered(_) => None,
        }
    }

    /// The service has answered this session before, so nobody may hear that nothing was sent.
    fn after_an_answer(mut self) -> Self {
        match &mut self {
            Self::Called(Exchange { delivered, .. }, _) | Self::NoToken(TokenFailure { delivered, .. }) if *delivered == Delivered::No => {
                *delivered = Delivered::Yes;
            }
            Self::Called(..) | Self::NotBelieved(..) | Self::NoToken(_) | Self::NotRendered(_) => {}
        }
        self
    }
}

/// Every call goes out here, so that every call is counted and its service's breaker hears of it.
async fn watched(outbound: &Outbound, access: &Access, teller: &Teller, request: &OutgoingRequest, terms: &Terms<'_>) -> Exchange {
    let exchange = outbound.send(request, terms).await;
    teller.tell(&exchange);
    let result = match &exchange.result {
        Ok(answer) => match answer.status {
            0..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            500.. => "5xx",
        },
        Err(failure) => failure.reason(),
    };
    let provider = access.connector.provider.id.clone();
    metrics::counter!("tollhouse_outbound_calls_total", "provider" => provider, "payment_service" => teller.label(), "result" => result)
        .increment(1);
    exchange
}

// === outcomes ===

fn concluded(access: &Access, call: &Call, body: &JsonObject, end: End) -> SessionOutcome {
    let _step = tracing::debug_span!(target: "tollhouse::step", "classify").entered();
    let mask = |token| mask_of(access, token);
    let asked = || facts::facts(call, &asked(body), &mask(None));
    match end {
        End::Called(Exchange { delivered, result: Ok(answer), .. }, token) => {
            let classified = classify(call, body, &answer, &mask(token.as_deref()));
            SessionOutcome { session: classified.session, delivered, facts: classified.facts, service_duration_ms: None }
        }
        End::Called(Exchange { delivered, result: Err(failure), .. }, _) => {
            log_failure(access, &failure);
            failed(code_of(&failure), None, delivered, asked())
        }
        End::NotBelieved(delivered, status_code, error) => {
            let definition = access.connector.definition.id.as_str();
            tracing::warn!(payment_service.id = access.service.map(tracing::field::display), connector = definition, %error, "an answer is not believed");
            failed(SessionCode::InvalidServiceResponse, Some(status_code), delivered, asked())
        }
        End::NoToken(failure) => failed(failure.code, failure.status_code, failure.delivered, asked()),
        End::NotRendered(error) => {
            log_not_rendered(access, &error, "a request can not be made, nothing was sent");
            failed(SessionCode::InvalidServiceConfiguration, None, Delivered::No, asked())
        }
    }
}

fn mask_of(access: &Access, token: Option<&Secret>) -> Mask {
    Mask::new(access.credentials.secrets().chain(token.and_then(Secret::expose_str)))
}

/// What is known without an answer.
fn asked(body: &JsonObject) -> Sources<'_> {
    Sources { request: Some(body), ..Sources::default() }
}

fn log_not_rendered(access: &Access, error: &RenderError, what: &'static str) {
    let definition = access.connector.definition.id.as_str();
    tracing::warn!(payment_service.id = access.service.map(tracing::field::display), connector = definition, %error, "{what}");
}

fn failed(code: SessionCode, status_code: Option<u16>, delivered: Delivered, facts: RecordedFacts) -> SessionOutcome {
    let session = Session { status: SessionStatus::Failed, code: Some(code), status_code, response_body: None };
    SessionOutcome { session, delivered, facts, service_duration_ms: None }
}

fn code_of(failure: &CallFailure) -> SessionCode {
    match failure {
        CallFailure::Refused(_) => SessionCode::InvalidServiceConfiguration,
        CallFailure::Dns
        | CallFailure::Connect
        | CallFailure::Proxy
        | CallFailure::Tls
        | CallFailure::Timeout
        | CallFailure::Reset
        | CallFailure::Malformed => SessionCode::ServiceNetworkError,
    }
}

fn log_failure(access: &Access, failure: &CallFailure) {
    let definition = access.connector.definition.id.as_str();
    tracing::info!(
        payment_service.id = access.service.map(tracing::field::display),
        connector = definition,
        reason = failure.reason(),
        "the payment service gave no answer: {failure}"
    );
}

fn verified_by_token(failure: &TokenFailure) -> Verification {
    match failure.code {
        SessionCode::InvalidServiceCredentials => Verification::Refused,
        _ => Verification::NoAnswer,
    }
}

/// Values that can not be sent are wrong values; everything else is not theirs to answer for.
fn not_sent(error: &RenderError) -> Verification {
    match error {
        RenderError::Value(_)
        | RenderError::Absent(_)
        | RenderError::Sign(_)
        | RenderError::Scheme(_)
        | RenderError::Identity(_)
        | RenderError::Suffix => Verification::Refused,
        RenderError::Body(_)
        | RenderError::Definition(_)
        | RenderError::NoSimulator
        | RenderError::OnlySimulated
        | RenderError::OverrideInLive => Verification::NoAnswer,
    }
}

fn token_key(access: &Access, base: &Base) -> TokenKey {
    TokenKey::of(access.service, &access.connector, &access.credentials, base)
}

fn is_unauthorized(exchange: &Exchange) -> bool {
    matches!(&exchange.result, Ok(answer) if answer.status == 401)
}

/// Whether the body of a call is made of the caller's and of what is stored, so that nothing which is still to come changes it.
fn is_settled(provider: &Provider, call: &Call) -> bool {
    let has_key = matches!(call.idempotency, Some(Idempotency { at: IdempotencyPlace::Body(_), .. }));
    let mut members = call.body.default.iter().chain(&call.body.set);
    provider.sign_of(call).is_none() && !has_key && members.all(|(_, template)| template.names_only_what_is_stored())
}

/// A session goes twice only where its idempotency key goes along; a call of our own only where it reads. What is signed goes once: its moment would be that of the first.
fn resend(provider: &Provider, call: &Call, request: &OutgoingRequest, has_caller: bool) -> Resend {
    if provider.sign_of(call).is_some() {
        return Resend::Never;
    }
    let may = if has_caller { call.idempotency.is_some() } else { request.method == http::Method::GET };
    if may { Resend::Declared } else { Resend::Never }
}

#[cfg(test)]
mod tests;
