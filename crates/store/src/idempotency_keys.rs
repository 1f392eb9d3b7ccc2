//! Idempotency keys: what a key was first used for, who carries it out, what it was answered.
//!
//! No transaction spans the call of a payment service. What keeps two executions apart is the id of the last one in the row: whoever changes a row names the execution that it knows of, and changes nothing if there has been another since.

use domain::idempotency::{Execution, Fingerprint, IdempotencyKey, KeyPlace, KeyState, SealedAnswer, UsedKey};
use domain::{ApiKeyPairId, DefinitionId, MerchantAccountId, PaymentServiceId, Scope, SessionRecordId, Timestamp};
use uuid::Uuid;

use crate::row::At;
use crate::{StoreError, Tx};

macro_rules! columns {
    () => {
        "merchant_account_id, operation, path, idempotency_key, fingerprint, attempt_id, state, execution_id, lease_until, \
         payment_service_id, definition_id, definition_hash, api_key_pair_id, request_id, started_at, recognised_until, \
         data_key_version, sealed, created_at, expires_at"
    };
}

/// The row of a place in an account.
macro_rules! this_row {
    () => {
        " WHERE merchant_account_id = $1 AND operation = $2 AND path = $3 AND idempotency_key = $4"
    };
}

statements! {
    INSERT = concat!(
        "INSERT INTO idempotency_keys (", columns!(), ") \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) ON CONFLICT DO NOTHING"
    );
    GET = concat!("SELECT ", columns!(), " FROM idempotency_keys", this_row!());
    TAKE_OVER = concat!(
        "UPDATE idempotency_keys SET fingerprint = $5, attempt_id = $6, state = $7, execution_id = $8, lease_until = $9, \
         payment_service_id = $10, definition_id = $11, definition_hash = $12, api_key_pair_id = $13, request_id = $14, started_at = $15, \
         recognised_until = $16, data_key_version = $17, sealed = $18, created_at = $19, expires_at = $20", this_row!(),
        " AND execution_id = $21"
    );
    FINISH = concat!(
        "UPDATE idempotency_keys SET state = $5, data_key_version = $6, sealed = $7", this_row!(), " AND execution_id = $8 AND state = 'started'"
    );
    INTERRUPTED = concat!("SELECT ", columns!(), " FROM idempotency_keys WHERE state = 'started' AND lease_until <= $1 ORDER BY lease_until LIMIT $2");
    // The conditions come twice: PostgreSQL looks at a row again that another has just renewed, and does not choose the rows again.
    PURGE = "DELETE FROM idempotency_keys WHERE expires_at <= $1 AND (state <> 'started' OR lease_until <= $1) \
             AND (merchant_account_id, operation, path, idempotency_key) IN \
             (SELECT merchant_account_id, operation, path, idempotency_key FROM idempotency_keys \
             WHERE expires_at <= $1 AND (state <> 'started' OR lease_until <= $1) ORDER BY expires_at LIMIT $2)";
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    merchant_account_id: String,
    operation: String,
    path: String,
    idempotency_key: String,
    fingerprint: Vec<u8>,
    attempt_id: Uuid,
    state: String,
    execution_id: Uuid,
    lease_until: i64,
    payment_service_id: Uuid,
    definition_id: String,
    definition_hash: String,
    api_key_pair_id: Uuid,
    request_id: String,
    started_at: i64,
    recognised_until: Option<i64>,
    data_key_version: Option<i64>,
    sealed: Option<Vec<u8>>,
    created_at: i64,
    expires_at: i64,
}

/// Runs a statement whose first twenty parameters are the columns of a row.
macro_rules! with_columns {
    ($tx:expr, $statement:expr, $scope:expr, $key:expr $(, $more:expr)*) => {
        run!(
            $tx, execute, $statement,
            $scope.account().as_str(),
            $key.place.operation.as_str(),
            $key.place.path.as_str(),
            $key.place.key.as_str(),
            $key.fingerprint.0.as_slice(),
            $key.attempt.0,
            $key.state.as_str(),
            $key.execution.id.0,
            $key.execution.lease_until.micros(),
            $key.execution.payment_service_id.0,
            $key.execution.definition_id.as_str(),
            $key.execution.definition_hash.as_str(),
            $key.execution.api_key_pair_id.0,
            $key.execution.request_id.as_str(),
            $key.execution.started_at.micros(),
            $key.recognised_until.map(Timestamp::micros),
            $key.answer.as_ref().map(|answer| answer.data_key_version),
            $key.answer.as_ref().map(|answer| answer.sealed.as_slice()),
            $key.created_at.micros(),
            $key.expires_at.micros()
            $(, $more)*
        )
    };
}

/// Notes the first use of a key; `false` if it is in use.
pub async fn insert(tx: &mut Tx, scope: &Scope, key: &UsedKey) -> Result<bool, StoreError> {
    Ok(with_columns!(tx, INSERT, scope, key)? > 0)
}

/// The key at a place, its time over or not.
pub async fn get(tx: &mut Tx, scope: &Scope, place: &KeyPlace) -> Result<Option<UsedKey>, StoreError> {
    let (account, key) = (scope.account().as_str(), place.key.as_str());
    let row = run!(tx, optional KeyRow, GET, account, place.operation.as_str(), place.path.as_str(), key)?;
    row.map(UsedKey::try_from).transpose()
}

/// Replaces what is known of a key by another execution; `false` if the one that `last` names was not the last one any more.
pub async fn take_over(tx: &mut Tx, scope: &Scope, key: &UsedKey, last: SessionRecordId) -> Result<bool, StoreError> {
    Ok(with_columns!(tx, TAKE_OVER, scope, key, last.0)? > 0)
}

/// Ends an execution: in which state, and with which answer; `false` if another one has taken over, and then nothing is changed.
pub async fn finish(
    tx: &mut Tx,
    scope: &Scope,
    place: &KeyPlace,
    execution: SessionRecordId,
    end: (KeyState, Option<&SealedAnswer>),
) -> Result<bool, StoreError> {
    let (state, answer) = end;
    let rows = run!(
        tx,
        execute,
        FINISH,
        scope.account().as_str(),
        place.operation.as_str(),
        place.path.as_str(),
        place.key.as_str(),
        state.as_str(),
        answer.map(|answer| answer.data_key_version),
        answer.map(|answer| answer.sealed.as_slice()),
        execution.0,
    )?;
    Ok(rows > 0)
}

/// Keys of every account whose execution did not end within its lease, those that have waited longest first.
pub async fn interrupted(tx: &mut Tx, now: Timestamp, limit: u32) -> Result<Vec<UsedKey>, StoreError> {
    let rows = run!(tx, all KeyRow, INTERRUPTED, now.micros(), i64::from(limit))?;
    rows.into_iter().map(UsedKey::try_from).collect()
}

/// Deletes some keys whose time is over, of every account; answers how many. One that is being executed stays.
pub async fn purge(tx: &mut Tx, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
    run!(tx, execute, PURGE, now.micros(), i64::from(limit))
}

impl TryFrom<KeyRow> for UsedKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        // The caller's key is not repeated: the attempt is what stands in the records too.
        let at = At { table: "idempotency_keys", id: &row.attempt_id };
        let sealed = row.data_key_version.zip(row.sealed);
        Ok(Self {
            merchant_account_id: at.known("merchant_account_id", MerchantAccountId::parse(&row.merchant_account_id))?,
            fingerprint: Fingerprint(at.known("fingerprint", row.fingerprint.try_into().ok())?),
            attempt: SessionRecordId(row.attempt_id),
            state: at.known("state", KeyState::parse(&row.state))?,
            execution: Execution {
                id: SessionRecordId(row.execution_id),
                lease_until: Timestamp::from_micros(row.lease_until),
                payment_service_id: PaymentServiceId(row.payment_service_id),
                definition_id: at.known("definition_id", DefinitionId::parse(&row.definition_id))?,
                definition_hash: row.definition_hash,
                api_key_pair_id: ApiKeyPairId(row.api_key_pair_id),
                request_id: row.request_id,
                started_at: Timestamp::from_micros(row.started_at),
            },
            recognised_until: row.recognised_until.map(Timestamp::from_micros),
            answer: sealed.map(|(data_key_version, sealed)| SealedAnswer { data_key_version, sealed }),
            created_at: Timestamp::from_micros(row.created_at),
            expires_at: Timestamp::from_micros(row.expires_at),
            place: KeyPlace {
                key: at.known("idempotency_key", IdempotencyKey::parse(&row.idempotency_key).ok())?,
                operation: row.operation,
                path: row.path,
            },
        })
    }
}
