//! Payment service sessions: the engine's part of the way from a request to a payment service and back.
//!
//! From the first outgoing byte a session belongs to a task of its own: a client that goes away changes nothing, and the record is written in any case. What a payment service does, up to a panic in what calls it, is an answer; an error is only what is ours.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use connectors::caller::{Access, Attempt, Checked, SessionOutcome};
use connectors::catalogue::Connector;
use connectors::credentials::Credentials;
use domain::card_number::card_number_members;
use domain::json::JsonError;
use domain::session::{Delivered, RecordedFacts, Session, SessionCode, SessionRecord};
use domain::{JsonObject, PaymentServiceId, Problem, Scope, SessionRecordId, Timestamp};
use metrics::SharedString;
use store::StoreError;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::payment_services::fields::open_for_call;
use crate::snapshot::{Service, Snapshot};
use crate::{Engine, Refusal, Request};

mod interrupted;
mod once;
#[cfg(test)]
mod tests;

pub use self::once::{Answered, Once, create_once};

/// The most things that one refusal names.
const PROBLEMS_MAX: usize = 100;

const CARD_NUMBER: &str = "holds a card number: card data must not pass through a session";

/// What a session is asked of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The account's best active service of a definition, as the caller wrote its id.
    Definition(String),
    /// One service.
    Service(PaymentServiceId),
}

/// Everything that is settled before anything is sent.
struct Plan {
    scope: Scope,
    access: Access,
    attempt: Attempt,
    /// The id of the record that it will leave.
    record: SessionRecordId,
    service: PaymentServiceId,
    /// When the payment service was last changed.
    service_updated_at: Timestamp,
    body: JsonObject,
    checked: Checked,
    request: Request,
    started: Instant,
}

/// A session that has ended and is not recorded yet.
struct Ended {
    session: Session,
    record: SessionRecord,
}

/// Creates a session. The checks come in the order that the API promises: target, body, then what is ours.
pub async fn create(
    engine: &Arc<Engine>,
    scope: &Scope,
    request: &Request,
    target: Target,
    body: Bytes,
) -> Result<(Session, Delivered), Refusal> {
    let plan = plan(engine, scope, request, &target, body)?;
    answer_of(engine.tasks.spawn(run(Arc::clone(engine), plan).in_current_span())).await
}

/// Makes all checks.
fn plan(engine: &Engine, scope: &Scope, request: &Request, target: &Target, body: Bytes) -> Result<Plan, Refusal> {
    let started = Instant::now();
    let snapshot = engine.snapshot();
    let (connector, service) =
        tracing::debug_span!(target: "tollhouse::step", "load").in_scope(|| resolve(engine, &snapshot, scope, target))?;
    let body = tracing::debug_span!(target: "tollhouse::step", "render").in_scope(|| parse(body))?;
    let access = tracing::debug_span!(target: "tollhouse::step", "open").in_scope(|| access(&snapshot, scope, connector, &service))?;
    let checked = tracing::debug_span!(target: "tollhouse::step", "render").in_scope(|| check(engine, &access, &body));
    let checked = checked.map_err(Refusal::Invalid)?;
    if !engine.database.is_writable() {
        // Without its record a session would be a thing nobody can find again.
        return Err(Refusal::Unavailable);
    }
    let now = engine.now();
    let record = SessionRecordId(engine.ids.v7(now));
    Ok(Plan {
        scope: scope.clone(),
        access,
        attempt: Attempt { id: record, now },
        record,
        service: service.service.id,
        service_updated_at: service.service.updated_at,
        body,
        checked,
        request: request.clone(),
        started,
    })
}

async fn answer_of<T>(task: JoinHandle<Result<T, Refusal>>) -> Result<T, Refusal> {
    match task.await {
        Ok(result) => result,
        Err(error) => Err(Refusal::failed("the task of a session ended without an answer", error)),
    }
}

async fn run(engine: Arc<Engine>, plan: Plan) -> Result<(Session, Delivered), Refusal> {
    let Ended { session, record } = execute(&engine, plan).await;
    observe(&engine, &record);
    let delivered = record.delivered;
    let trace = Trace::of(&record);
    let step = tracing::debug_span!(target: "tollhouse::step", "record");
    match engine.database.records().write(record).instrument(step).await {
        Ok(()) => Ok((session, delivered)),
        Err(error) => Err(trace.unrecorded(&error)),
    }
}

/// Calls the payment service.
async fn execute(engine: &Engine, plan: Plan) -> Ended {
    let Plan { access, attempt, record: id, service, body, checked, request, started, .. } = plan;
    let outcome = match without_unwinding(engine.connectors.session(&access, &attempt, &body, &checked)).await {
        Ok(outcome) => outcome,
        Err(panic) => {
            tracing::error!(
                connector = access.connector.definition.id.as_str(),
                request_id = request.request_id,
                panic = message_of(panic.as_ref()),
                "A connector panicked; the session is answered as failed."
            );
            SessionOutcome {
                session: Session::failed(SessionCode::UnknownError),
                delivered: Delivered::Unknown,
                facts: RecordedFacts::default(),
                service_duration_ms: None,
            }
        }
    };
    let record = SessionRecord {
        id,
        request_id: request.request_id,
        merchant_account_id: access.account.clone(),
        payment_service_id: service,
        definition_id: access.connector.definition.id.clone(),
        definition_hash: access.connector.provider.hash.clone(),
        api_key_pair_id: request.actor.id,
        status: outcome.session.status,
        code: outcome.session.code,
        status_code: outcome.session.status_code,
        delivered: outcome.delivered,
        facts: outcome.facts,
        duration_ms: milliseconds(started.elapsed()),
        service_duration_ms: outcome.service_duration_ms,
        created_at: attempt.now,
    };
    Ended { session: outcome.session, record }
}

/// What is said of a record that could not be written, so that somebody can find out what became of the session.
struct Trace {
    request_id: String,
    service_session_id: Option<String>,
    connector: String,
}

// === impl Trace ===

impl Trace {
    fn of(record: &SessionRecord) -> Self {
        Self {
            request_id: record.request_id.clone(),
            service_session_id: record.facts.service_session_id.clone(),
            connector: record.definition_id.to_string(),
        }
    }

    fn unrecorded(self, error: &StoreError) -> Refusal {
        tracing::error!(
            %error,
            request_id = self.request_id,
            service_session_id = self.service_session_id,
            connector = self.connector,
            "The record of a session could not be written after the payment service was called; the session is not acknowledged."
        );
        Refusal::Unavailable
    }
}

/// The connector and the service that a target means, by the rules and in the order of the API.
fn resolve(engine: &Engine, snapshot: &Snapshot, scope: &Scope, target: &Target) -> Result<(Arc<Connector>, Arc<Service>), Refusal> {
    match target {
        Target::Definition(id) => {
            let connector = engine.connector(id).ok_or(Refusal::NotFound)?;
            creates_sessions(&connector, "payment_service_definition_id")?;
            let service = snapshot.callable_service(scope, id).ok_or(Refusal::NotFound)?;
            Ok((connector, Arc::clone(service)))
        }
        Target::Service(id) => {
            let service = snapshot.service(scope, *id).ok_or(Refusal::NotFound)?;
            if !service.service.settings.active {
                let message = "the payment service is not active";
                return Err(Refusal::invalid(Problem::path("payment_service_id", "not_supported", message)));
            }
            let definition = &service.service.definition_id;
            let connector = engine
                .connector(definition.as_str())
                .ok_or_else(|| Refusal::internal(format!("payment service {id} needs the definition {definition}, which is not loaded")))?;
            creates_sessions(&connector, "payment_service_id")?;
            Ok((connector, Arc::clone(service)))
        }
    }
}

fn creates_sessions(connector: &Connector, parameter: &str) -> Result<(), Refusal> {
    if connector.creates_sessions() {
        return Ok(());
    }
    let message = format!("`{}` creates no sessions", connector.definition.id);
    Err(Refusal::invalid(Problem::path(parameter, "not_supported", message)))
}

fn parse(body: Bytes) -> Result<JsonObject, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Refusal::invalid(Problem::body("", "missing", "a body is required: a JSON object for the payment service")));
    }
    let problem = |error: JsonError| {
        let kind = match error {
            JsonError::NotAnObject => "type_error",
            JsonError::Syntax | JsonError::TooDeep => "value_error",
        };
        Refusal::invalid(Problem::body("", kind, format!("the body is {error}")))
    };
    JsonObject::parse(body).map_err(problem)
}

/// What is wrong with a body for this payment service, at most [`PROBLEMS_MAX`] things: what its definition says, and card numbers.
fn check(engine: &Engine, access: &Access, body: &JsonObject) -> Result<Checked, Vec<Problem>> {
    let checked = engine.connectors.check(access, body);
    let mut problems = checked.as_ref().err().cloned().unwrap_or_default();
    if engine.rules.refuse_card_numbers {
        for pointer in card_number_members(body, PROBLEMS_MAX).iter().map(ToString::to_string) {
            if !problems.iter().any(|problem| problem.pointer == pointer) {
                problems.push(Problem::body(pointer, "value_error", CARD_NUMBER));
            }
        }
        problems.truncate(PROBLEMS_MAX);
    }
    if problems.is_empty() { checked } else { Err(problems) }
}

fn access(snapshot: &Snapshot, scope: &Scope, connector: Arc<Connector>, service: &Service) -> Result<Access, Refusal> {
    let id = service.service.id;
    let opened = open_for_call(snapshot.keyring(), &service.service, &connector, &service.fields);
    let opened = opened.map_err(|error| Refusal::failed(format!("the credentials of payment service {id} can not be used"), error))?;
    let credentials = Credentials::for_connector(&connector, opened);
    let missing = credentials.missing(&connector.provider);
    if !missing.is_empty() {
        return Err(Refusal::internal(format!("payment service {id} lacks required fields: {}", missing.join(", "))));
    }
    Ok(Access { connector, credentials, service: Some(id.0), account: scope.account().clone() })
}

/// Awaits a future and turns a panic in it into a value.
pub(crate) async fn without_unwinding<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    // Nothing of the future is looked at after a panic; what it shares with others guards itself.
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// A panic's message is words of a programmer; anything else it carries is not shown.
fn message_of(panic: &(dyn Any + Send)) -> &'static str {
    panic.downcast_ref::<&'static str>().copied().unwrap_or("(not plain text)")
}

fn observe(engine: &Engine, record: &SessionRecord) {
    let service = engine.connectors.label(record.payment_service_id.0);
    let definition = SharedString::from(record.definition_id.to_string());
    let (status, code) = (record.status.as_str(), record.code.map_or("none", SessionCode::as_str));
    metrics::counter!(
        "tollhouse_sessions_total",
        "definition" => definition.clone(), "payment_service" => service.clone(), "status" => status, "code" => code
    )
    .increment(1);
    metrics::histogram!("tollhouse_session_duration_seconds", "definition" => definition, "payment_service" => service)
        .record(seconds(record.duration_ms));
    tracing::debug!(
        session_id = %record.id,
        payment_service.id = %record.payment_service_id,
        connector = record.definition_id.as_str(),
        status,
        code,
        status_code = record.status_code,
        delivered = record.delivered.as_str(),
        duration_ms = record.duration_ms,
        service_duration_ms = record.service_duration_ms,
        "A session has ended."
    );
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn seconds(milliseconds: i64) -> f64 {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default()).as_secs_f64()
}
