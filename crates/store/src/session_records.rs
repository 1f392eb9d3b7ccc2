//! Session records, as far as they are read. They are written by the [`crate::RecordWriter`].

use domain::page::{Page, PageRequest, Position};
use domain::session::{Delivered, RecordedFacts, SessionCode, SessionRecord, SessionStatus};
use domain::{
    ApiKeyPairId, CountryCode, CurrencyCode, DefinitionId, MerchantAccountId, PaymentServiceId, Scope, SessionRecordId, Timestamp,
};
use uuid::Uuid;

use crate::row::At;
use crate::statement::NewestFirst;
use crate::{StoreError, Tx};

/// Which records to list; what is set must all be true.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of the record's members, and each selects the records with that value")]
pub struct Filter {
    pub id: Option<SessionRecordId>,
    pub payment_service_id: Option<PaymentServiceId>,
    pub definition_id: Option<DefinitionId>,
    pub reference: Option<String>,
    pub service_session_id: Option<String>,
    pub support_id: Option<String>,
    pub request_id: Option<String>,
    pub status: Option<SessionStatus>,
    pub code: Option<SessionCode>,
    /// At this moment or later.
    pub created_at_gte: Option<Timestamp>,
    /// At this moment or earlier.
    pub created_at_lte: Option<Timestamp>,
}

/// The columns in the order in which the record writer fills them.
macro_rules! columns {
    () => {
        "id, merchant_account_id, request_id, payment_service_id, definition_id, definition_hash, api_key_pair_id, status, code, \
         status_code, delivered, amount, currency, country, reference, service_session_id, support_id, service_code, duration_ms, \
         service_duration_ms, created_at"
    };
}
pub(crate) use columns;

/// All lists take the same parameters. They differ in the condition that an index answers, which SQLite can not see through `OR`; and a `+` before the time keeps SQLite from preferring the index on time.
macro_rules! listed {
    ($indexed:literal, $time:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM session_records WHERE merchant_account_id = $4",
            $indexed,
            " AND ",
            $time,
            " >= $5 AND ",
            $time,
            " <= $6 AND (id = $7 OR $7 IS NULL) AND (payment_service_id = $8 OR $8 IS NULL) \
             AND (definition_id = $9 OR $9 IS NULL) AND (reference = $10 OR $10 IS NULL) AND (service_session_id = $11 OR $11 IS NULL) \
             AND (support_id = $12 OR $12 IS NULL) AND (request_id = $13 OR $13 IS NULL) AND (status = $14 OR $14 IS NULL) \
             AND (code = $15 OR $15 IS NULL)"
        )
    };
}

statements! {
    // By id, since ids come in the order of time and have an index; the moment is checked all the same.
    PURGE = "DELETE FROM session_records WHERE id IN (SELECT id FROM session_records WHERE id < $1 AND created_at < $2 ORDER BY id LIMIT $3)";
    GET = concat!("SELECT ", columns!(), " FROM session_records WHERE merchant_account_id = $1 AND id = $2");
    [newest_first] {
        LIST = listed!("", "created_at");
        LIST_BY_ID = listed!(" AND id = $7", "+created_at");
        LIST_BY_REFERENCE = listed!(" AND reference = $10", "+created_at");
        LIST_BY_SERVICE_SESSION = listed!(" AND service_session_id = $11", "+created_at");
        LIST_BY_REQUEST = listed!(" AND request_id = $13", "+created_at");
    }
}

#[derive(sqlx::FromRow)]
struct RecordRow {
    id: Uuid,
    merchant_account_id: String,
    request_id: String,
    payment_service_id: Uuid,
    definition_id: String,
    definition_hash: String,
    api_key_pair_id: Uuid,
    status: String,
    code: Option<String>,
    status_code: Option<i64>,
    delivered: String,
    amount: Option<i64>,
    currency: Option<String>,
    country: Option<String>,
    reference: Option<String>,
    service_session_id: Option<String>,
    support_id: Option<String>,
    service_code: Option<String>,
    duration_ms: i64,
    service_duration_ms: Option<i64>,
    created_at: i64,
}

/// One record.
pub async fn get(tx: &mut Tx, scope: &Scope, id: SessionRecordId) -> Result<Option<SessionRecord>, StoreError> {
    run!(tx, optional RecordRow, GET, scope.account().as_str(), id.0)?.map(SessionRecord::try_from).transpose()
}

/// Records newest first.
pub async fn list(tx: &mut Tx, scope: &Scope, request: &PageRequest, filter: &Filter) -> Result<Page<SessionRecord>, StoreError> {
    let window = filter.list().window(request)?;
    let rows = run!(
        tx, all RecordRow, window.statement,
        window.created_at,
        window.id,
        window.rows,
        scope.account().as_str(),
        filter.created_at_gte.map_or(i64::MIN, Timestamp::micros),
        filter.created_at_lte.map_or(i64::MAX, Timestamp::micros),
        filter.id.map(|id| id.0),
        filter.payment_service_id.map(|id| id.0),
        filter.definition_id.as_ref().map(DefinitionId::as_str),
        filter.reference.as_deref(),
        filter.service_session_id.as_deref(),
        filter.support_id.as_deref(),
        filter.request_id.as_deref(),
        filter.status.map(SessionStatus::as_str),
        filter.code.map(SessionCode::as_str),
    )?;
    let records = rows.into_iter().map(SessionRecord::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::from_rows(request, records, |record| Position::Moment(record.created_at.micros(), record.id.0)))
}

/// Deletes some of the oldest records, at most `limit` of those made before a moment, of every account; answers how many. What is older than records may be is deleted in several short transactions.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    // The smallest UUID of version 7 of that millisecond.
    let milliseconds = u128::try_from(before.micros().div_euclid(1000)).unwrap_or(0);
    let first = Uuid::from_u128(milliseconds << 80);
    run!(tx, execute, PURGE, first, before.micros(), i64::from(limit))
}

impl Filter {
    /// The list whose index narrows most.
    fn list(&self) -> NewestFirst {
        if self.id.is_some() {
            LIST_BY_ID
        } else if self.service_session_id.is_some() {
            LIST_BY_SERVICE_SESSION
        } else if self.request_id.is_some() {
            LIST_BY_REQUEST
        } else if self.reference.is_some() {
            LIST_BY_REFERENCE
        } else {
            LIST
        }
    }
}

impl TryFrom<RecordRow> for SessionRecord {
    type Error = StoreError;

    fn try_from(row: RecordRow) -> Result<Self, StoreError> {
        let at = At { table: "session_records", id: &row.id };
        Ok(Self {
            id: SessionRecordId(row.id),
            merchant_account_id: at.known("merchant_account_id", MerchantAccountId::parse(&row.merchant_account_id))?,
            payment_service_id: PaymentServiceId(row.payment_service_id),
            definition_id: at.known("definition_id", DefinitionId::parse(&row.definition_id))?,
            api_key_pair_id: ApiKeyPairId(row.api_key_pair_id),
            status: at.known("status", SessionStatus::parse(&row.status))?,
            code: at.maybe("code", row.code, |word| SessionCode::parse(word))?,
            status_code: at.maybe("status_code", row.status_code, |number| u16::try_from(*number).ok())?,
            delivered: at.known("delivered", Delivered::parse(&row.delivered))?,
            facts: RecordedFacts {
                amount: row.amount,
                currency: at.maybe("currency", row.currency, |code| CurrencyCode::parse(code))?,
                country: at.maybe("country", row.country, |code| CountryCode::parse(code))?,
                reference: row.reference,
                service_session_id: row.service_session_id,
                support_id: row.support_id,
                service_code: row.service_code,
            },
            request_id: row.request_id,
            definition_hash: row.definition_hash,
            duration_ms: row.duration_ms,
            service_duration_ms: row.service_duration_ms,
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}
