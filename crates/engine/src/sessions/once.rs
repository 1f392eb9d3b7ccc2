//! Sessions with an idempotency key: however often the request comes, the payment service acts on it once, and each time the answer is the same.
//!
//! One transaction notes the key before the call, one writes the record and the outcome together after it; no transaction spans the call. Between them the key is leased to this execution. An execution whose lease is over counts as dead: the next one takes the key over, and the id of the last execution in the row keeps the late one from changing anything.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use domain::idempotency::{
    Earlier, Execution, Fingerprint, KEPT_SECONDS, KeyPlace, KeyState, LEASE_SECONDS, Recognition, SealedAnswer, StoredAnswer, UsedKey,
    Verdict,
};
use domain::json::canonical;
use domain::session::{Delivered, Session, SessionCode};
use domain::{Problem, Scope, Timestamp};
use store::{StoreError, Tx, idempotency_keys, session_records};
use tracing::Instrument as _;

use super::{Ended, Plan, Target, Trace, answer_of, execute, observe, plan};
use crate::vault::Place;
use crate::{Engine, Refusal, Request};

#[cfg(test)]
mod tests;

/// The header, as refusals point at it.
const HEADER: &str = "Idempotency-Key";

/// What makes a request one that may come again.
#[derive(Clone, Debug)]
pub struct Once {
    /// Where its key counts, and the key.
    pub place: KeyPlace,
    /// The query string as it was sent; empty if there was none.
    pub query: String,
    /// How a session is answered. What this makes is kept, and answered again byte for byte.
    pub answer: fn(&Session, Delivered) -> StoredAnswer,
}

/// What a request with a key is answered.
#[derive(Clone, Debug)]
pub enum Answered {
    /// What has come of it just now.
    Now(StoredAnswer),
    /// What an earlier one was answered: this one has called nobody.
    Before(StoredAnswer),
}

/// The right to carry a request out, or the answer to it.
enum Claim {
    Ours(Box<UsedKey>, Earlier),
    Answered(StoredAnswer),
}

/// Creates a session, or answers what has come of it before. The checks come first, as without a key, and what they refuse leaves no trace.
pub async fn create_once(
    engine: &Arc<Engine>,
    scope: &Scope,
    request: &Request,
    target: Target,
    body: Bytes,
    once: Once,
) -> Result<Answered, Refusal> {
    let plan = plan(engine, scope, request, &target, body)?;
    answer_of(engine.tasks.spawn(run(Arc::clone(engine), plan, once).in_current_span())).await
}

async fn run(engine: Arc<Engine>, mut plan: Plan, once: Once) -> Result<Answered, Refusal> {
    let step = tracing::debug_span!(target: "tollhouse::step", "record");
    let (key, earlier) = match claim(&engine, &plan, &once).instrument(step).await? {
        Claim::Ours(key, earlier) => (key, earlier),
        Claim::Answered(answer) => return Ok(Answered::Before(answer)),
    };
    plan.attempt.id = key.attempt;
    let mut ended = execute(&engine, plan).await;
    ended.record.delivered = ended.record.delivered.after(earlier);
    observe(&engine, &ended.record);
    let state = KeyState::after(&ended.session, ended.record.delivered, earlier);
    let answer = (once.answer)(&ended.session, ended.record.delivered);
    let step = tracing::debug_span!(target: "tollhouse::step", "record");
    match store_end(&engine, &key, &ended, state, &answer).instrument(step).await {
        Ok(()) => Ok(Answered::Now(answer)),
        Err(error) => Err(Trace::of(&ended.record).unrecorded(&error)),
    }
}

/// Before the call: notes the key, or finds what has become of it.
async fn claim(engine: &Engine, plan: &Plan, once: &Once) -> Result<Claim, Refusal> {
    if engine.snapshot().keyring().latest(plan.scope.account()).is_none() {
        // Each account has one from its beginning. Found out while nothing is sent.
        return Err(Refusal::internal(format!("merchant account {} has no data key to keep an answer under", plan.scope.account())));
    }
    let first = first_use(engine, plan, once);
    let mut tx = engine.database.write_alongside().await?;
    if idempotency_keys::insert(&mut tx, &plan.scope, &first).await? {
        tx.commit().await?;
        count("first");
        return Ok(Claim::Ours(Box::new(first), Earlier::Nothing));
    }
    let used = idempotency_keys::get(&mut tx, &plan.scope, &once.place).await?;
    // Deleted between the two statements, its time being over, it is in nobody's way when the request comes again.
    let Some(used) = used else { return Err(running()) };
    let verdict = used.verdict(&first.fingerprint, plan.attempt.now, recognition(plan, &first, &used));
    match verdict {
        Verdict::Repeat(earlier) => take_over(tx, repetition(&first, &used, earlier), &used, earlier).await,
        Verdict::Forget => take_over(tx, first, &used, Earlier::Nothing).await,
        Verdict::Mismatch | Verdict::Running | Verdict::Conclude | Verdict::Replay => {
            // Nothing was written. It ends in order all the same, for a transaction that is dropped costs SQLite its connection.
            tx.commit().await?;
            match verdict {
                Verdict::Mismatch => Err(mismatch()),
                Verdict::Conclude if engine.conclude(&used).await? => Ok(Claim::Answered(interrupted(once))),
                Verdict::Replay => replay(engine, &plan.scope, &used, once).await.map(Claim::Answered),
                // It has just ended after all; what it has come to is there for who asks again.
                _ => Err(running()),
            }
        }
    }
}

async fn take_over(mut tx: Tx, next: UsedKey, last: &UsedKey, earlier: Earlier) -> Result<Claim, Refusal> {
    let scope = Scope::of(next.merchant_account_id.clone());
    let is_ours = idempotency_keys::take_over(&mut tx, &scope, &next, last.execution.id).await?;
    tx.commit().await?;
    if !is_ours {
        return Err(running());
    }
    count("repeated");
    Ok(Claim::Ours(Box::new(next), earlier))
}

async fn replay(engine: &Engine, scope: &Scope, used: &UsedKey, once: &Once) -> Result<StoredAnswer, Refusal> {
    count("replayed");
    match &used.answer {
        Some(answer) => opened(engine, scope, &used.place, answer).await,
        // The execution died, and was concluded while nobody was there to be answered.
        None => Ok(interrupted(once)),
    }
}

fn mismatch() -> Refusal {
    count("mismatch");
    Refusal::invalid(Problem::header(HEADER, "idempotency_key_mismatch", "was used for another request"))
}

/// The answer to a session of which nobody knows the end.
fn interrupted(once: &Once) -> StoredAnswer {
    (once.answer)(&Session::failed(SessionCode::UnknownError), Delivered::Unknown)
}

fn running() -> Refusal {
    count("running");
    Refusal::Concurrent
}

fn count(result: &'static str) {
    metrics::counter!("tollhouse_idempotency_keys_total", "result" => result).increment(1);
}

// === the key ===

/// The key as its first use leaves it.
fn first_use(engine: &Engine, plan: &Plan, once: &Once) -> UsedKey {
    let now = plan.attempt.now;
    let connector = &plan.access.connector;
    UsedKey {
        merchant_account_id: plan.scope.account().clone(),
        place: once.place.clone(),
        fingerprint: fingerprint(plan, once),
        attempt: plan.attempt.id,
        state: KeyState::Started,
        execution: Execution {
            id: plan.record,
            lease_until: lease_until(now, engine.connectors.time_limit(&plan.access)),
            payment_service_id: plan.service,
            definition_id: connector.definition.id.clone(),
            definition_hash: connector.provider.hash.clone(),
            api_key_pair_id: plan.request.actor.id,
            request_id: plan.request.request_id.clone(),
            started_at: now,
        },
        recognised_until: recognised_until(plan, now),
        answer: None,
        created_at: now,
        expires_at: now.plus_seconds(KEPT_SECONDS),
    }
}

/// The same attempt once more: its id and its time stay, the execution is a new one.
fn repetition(first: &UsedKey, used: &UsedKey, earlier: Earlier) -> UsedKey {
    let recognised_until = match earlier {
        Earlier::MayHaveActed => used.recognised_until,
        // The attempt may go to another payment service now. Counted from the first use, which is never too late.
        Earlier::Nothing => first.recognised_until.map(|until| Timestamp::from_micros(until.micros() - passed(first, used))),
    };
    UsedKey { attempt: used.attempt, recognised_until, created_at: used.created_at, expires_at: used.expires_at, ..first.clone() }
}

/// Microseconds from the first use of a key to this one.
fn passed(first: &UsedKey, used: &UsedKey) -> i64 {
    first.created_at.micros().saturating_sub(used.created_at.micros()).max(0)
}

/// Rounded up to a whole second.
fn lease_until(now: Timestamp, limit: Duration) -> Timestamp {
    let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX).saturating_add(1 + LEASE_SECONDS);
    now.plus_seconds(seconds)
}

fn recognised_until(plan: &Plan, now: Timestamp) -> Option<Timestamp> {
    const HOUR_SECONDS: i64 = 60 * 60;
    plan.access.connector.recognises_hours().map(|hours| now.plus_seconds(i64::from(hours) * HOUR_SECONDS))
}

/// Whether the service that would be called is the one that was, unchanged since, and still knows the attempt when the call ends.
fn recognition(plan: &Plan, first: &UsedKey, used: &UsedKey) -> Recognition {
    let is_the_same = used.execution.payment_service_id == plan.service && plan.service_updated_at <= used.created_at;
    let is_known = used.recognised_until.is_some_and(|until| first.execution.lease_until <= until);
    if is_the_same && is_known && first.recognised_until.is_some() { Recognition::Certain } else { Recognition::None }
}

/// Path and query as they are, each after its length so that no two pairs are the same bytes, then the canonical body.
fn fingerprint(plan: &Plan, once: &Once) -> Fingerprint {
    let mut context = Context::new(&SHA256);
    for part in [once.place.path.as_bytes(), once.query.as_bytes()] {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part);
    }
    context.update(&canonical(plan.body.text()));
    let mut fingerprint = [0; 32];
    for (byte, digested) in fingerprint.iter_mut().zip(context.finish().as_ref()) {
        *byte = *digested;
    }
    Fingerprint(fingerprint)
}

// === the end ===

/// Writes the record and the outcome together. Where the key was lost to another execution, the record alone.
async fn store_end(engine: &Engine, key: &UsedKey, ended: &Ended, state: KeyState, answer: &StoredAnswer) -> Result<(), StoreError> {
    let stored = match try_to_store_end(engine, key, ended, state, answer).await {
        // The data key may have been replaced since our snapshot was loaded; then the new one is found now.
        Err(StoreError::Refused { .. }) => {
            if let Err(error) = engine.refresh().await {
                tracing::warn!(%error, "The data keys could not be read again.");
            }
            try_to_store_end(engine, key, ended, state, answer).await
        }
        stored => stored,
    };
    if !stored? {
        tracing::warn!(
            session_id = %ended.record.id,
            request_id = ended.record.request_id,
            attempt_id = %key.attempt,
            status = ended.record.status.as_str(),
            "A session has outlived the lease of its idempotency key and another execution has taken over; the session is recorded and is not what the key answers."
        );
    }
    Ok(())
}

/// Whether the key was still ours.
async fn try_to_store_end(
    engine: &Engine,
    key: &UsedKey,
    ended: &Ended,
    state: KeyState,
    answer: &StoredAnswer,
) -> Result<bool, StoreError> {
    let scope = Scope::of(key.merchant_account_id.clone());
    let sealed = match state {
        KeyState::Answered | KeyState::Unknown => sealed(engine, &scope, &key.place, answer),
        KeyState::Started | KeyState::Open => None,
    };
    let mut tx = engine.database.write_alongside().await?;
    session_records::insert(&mut tx, &scope, &ended.record).await?;
    let is_ours = idempotency_keys::finish(&mut tx, &scope, &key.place, key.execution.id, (state, sealed.as_ref())).await?;
    tx.commit().await?;
    Ok(is_ours)
}

/// Under the account's latest data key.
fn sealed(engine: &Engine, scope: &Scope, place: &KeyPlace, answer: &StoredAnswer) -> Option<SealedAnswer> {
    let snapshot = engine.snapshot();
    let key = snapshot.keyring().latest(scope.account())?;
    let row = row_of(place);
    let at = sealed_at(scope, &row, key.version());
    Some(SealedAnswer { data_key_version: key.version(), sealed: key.seal(&at, &answer.to_bytes()) })
}

async fn opened(engine: &Engine, scope: &Scope, place: &KeyPlace, answer: &SealedAnswer) -> Result<StoredAnswer, Refusal> {
    let version = answer.data_key_version;
    if engine.snapshot().keyring().version(scope.account(), version).is_none()
        && let Err(error) = engine.refresh().await
    {
        tracing::warn!(%error, "The data keys could not be read again.");
    }
    let snapshot = engine.snapshot();
    let key = snapshot.keyring().version(scope.account(), version);
    let key = key.ok_or_else(|| Refusal::internal(format!("idempotency_keys: data key {version} of {} is not there", scope.account())))?;
    let row = row_of(place);
    let opened = key.open(&sealed_at(scope, &row, version), &answer.sealed);
    let opened = opened.map_err(|error| Refusal::failed("idempotency_keys: a stored answer can not be used", error))?;
    StoredAnswer::from_bytes(opened.expose()).ok_or_else(|| Refusal::internal("idempotency_keys: a stored answer can not be read"))
}

/// The place of a row as one text. Neither an operation nor a path nor a key holds a line break.
fn row_of(place: &KeyPlace) -> String {
    format!("{}\n{}\n{}", place.operation, place.path, place.key.as_str())
}

fn sealed_at<'a>(scope: &'a Scope, row: &'a str, version: i64) -> Place<'a> {
    Place { table: "idempotency_keys", column: "sealed", row, account: scope.account(), version, hosts: "" }
}
