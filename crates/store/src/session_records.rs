//! Session records, as far as they are read. They are written by the [`crate::RecordWriter`], or here where something else must be written with them.

use domain::page::{Page, PageRequest, Position};
use domain::session::{Delivered, RecordedFacts, SessionCode, SessionRecord, SessionStatus};
use domain::{
    ApiKeyPairId, CountryCode, CurrencyCode, DefinitionId, MerchantAccountId, PaymentServiceId, Scope, SessionRecordId, Timestamp,
};
use uuid::Uuid;

use crate::row::At;
use crate::statement::NewestFirst;
use crate::{StoreError, Tx, record_writer};

/// Most values that one member may be looked for by. Each has a place of its own in the statements, and the codes, of which there are nine, fit.
pub const FILTER_VALUES_MAX: usize = 10;

/// The values of one member that are looked for, at most [`FILTER_VALUES_MAX`]; none means that any will do.
#[derive(Clone, Debug)]
pub struct AnyOf<T>(Vec<T>);

/// Which records to list; what is set must all be true.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of the record's members, and each selects the records with one of these values")]
pub struct Filter {
    pub id: AnyOf<SessionRecordId>,
    pub payment_service_id: AnyOf<PaymentServiceId>,
    pub definition_id: AnyOf<DefinitionId>,
    pub reference: AnyOf<String>,
    pub service_session_id: AnyOf<String>,
    pub support_id: AnyOf<String>,
    pub request_id: AnyOf<String>,
    pub status: AnyOf<SessionStatus>,
    pub code: AnyOf<SessionCode>,
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

/// The places of the values of one member, [`FILTER_VALUES_MAX`] each. Those that are not needed hold null, which is in no list.
///
/// Places and not one parameter that holds a list: the engines share no list type, a list that is taken apart in SQL has no index, and ids need no conversion here.
macro_rules! values_of {
    (id) => {
        "($7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
    };
    (payment_service_id) => {
        "($17, $18, $19, $20, $21, $22, $23, $24, $25, $26)"
    };
    (definition_id) => {
        "($27, $28, $29, $30, $31, $32, $33, $34, $35, $36)"
    };
    (reference) => {
        "($37, $38, $39, $40, $41, $42, $43, $44, $45, $46)"
    };
    (service_session_id) => {
        "($47, $48, $49, $50, $51, $52, $53, $54, $55, $56)"
    };
    (support_id) => {
        "($57, $58, $59, $60, $61, $62, $63, $64, $65, $66)"
    };
    (request_id) => {
        "($67, $68, $69, $70, $71, $72, $73, $74, $75, $76)"
    };
    (status) => {
        "($77, $78, $79, $80, $81, $82, $83, $84, $85, $86)"
    };
    (code) => {
        "($87, $88, $89, $90, $91, $92, $93, $94, $95, $96)"
    };
}

/// A member has one of its values, or none is given.
macro_rules! one_of {
    ($member:ident, $first:literal) => {
        concat!(" AND (", stringify!($member), " IN ", values_of!($member), " OR ", $first, " IS NULL)")
    };
}

/// The ids of the account's records whose member has one of its values. Found in the index of that member alone, and apart from the list: asked for both, SQLite would rather go through all records in the order of time.
macro_rules! ids_of {
    ($member:ident) => {
        concat!(
            " AND id IN (SELECT id FROM session_records WHERE merchant_account_id = $4 AND ",
            stringify!($member),
            " IN ",
            values_of!($member),
            ")"
        )
    };
}

/// All lists take the same parameters. They differ in the condition that an index answers, which SQLite can not see through `OR`; a `+` before the time, and where ids are looked for `|| ''` behind the account, keep SQLite from preferring the index on time.
macro_rules! listed {
    ($indexed:expr, $time:literal) => {
        listed!($indexed, $time, "merchant_account_id")
    };
    ($indexed:expr, $time:literal, $account:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM session_records WHERE ",
            $account,
            " = $4",
            $indexed,
            " AND ",
            $time,
            " >= $5 AND ",
            $time,
            " <= $6",
            one_of!(id, "$7"),
            one_of!(payment_service_id, "$17"),
            one_of!(definition_id, "$27"),
            one_of!(reference, "$37"),
            one_of!(service_session_id, "$47"),
            one_of!(support_id, "$57"),
            one_of!(request_id, "$67"),
            one_of!(status, "$77"),
            one_of!(code, "$87"),
        )
    };
}

statements! {
    // By id, since ids come in the order of time and have an index; the moment is checked all the same.
    PURGE = "DELETE FROM session_records WHERE id IN (SELECT id FROM session_records WHERE id < $1 AND created_at < $2 ORDER BY id LIMIT $3)";
    GET = concat!("SELECT ", columns!(), " FROM session_records WHERE merchant_account_id = $1 AND id = $2");
    [newest_first] {
        LIST = listed!("", "created_at");
        LIST_BY_IDS = listed!(concat!(" AND id IN ", values_of!(id)), "+created_at", "merchant_account_id || ''");
        // One value is read in the order of the index, however many rows have it; the rows of several are few, and sorted.
        LIST_BY_REFERENCE = listed!(" AND reference = $37", "+created_at");
        LIST_BY_REFERENCES = listed!(ids_of!(reference), "+created_at", "merchant_account_id || ''");
        LIST_BY_SERVICE_SESSION = listed!(" AND service_session_id = $47", "+created_at");
        LIST_BY_SERVICE_SESSIONS = listed!(ids_of!(service_session_id), "+created_at", "merchant_account_id || ''");
        LIST_BY_REQUEST = listed!(" AND request_id = $67", "+created_at");
        LIST_BY_REQUESTS = listed!(ids_of!(request_id), "+created_at", "merchant_account_id || ''");
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

/// Writes a record of the account together with what else the transaction writes.
pub async fn insert(tx: &mut Tx, scope: &Scope, record: &SessionRecord) -> Result<(), StoreError> {
    debug_assert_eq!(scope.account(), &record.merchant_account_id, "a record is written in its own account");
    record_writer::one(tx, record).await
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
        filter.created_at_lte.map_or(i64::MAX, Timestamp::micros);
        filter.id.places(|id| id.0),
        filter.payment_service_id.places(|id| id.0),
        filter.definition_id.places(DefinitionId::as_str),
        filter.reference.places(String::as_str),
        filter.service_session_id.places(String::as_str),
        filter.support_id.places(String::as_str),
        filter.request_id.places(String::as_str),
        filter.status.places(|status| status.as_str()),
        filter.code.places(|code| code.as_str()),
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

// === impl AnyOf ===

impl<T> Default for AnyOf<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> AnyOf<T> {
    /// These values; `None` if there are too many.
    pub fn of(values: Vec<T>) -> Option<Self> {
        (values.len() <= FILTER_VALUES_MAX).then_some(Self(values))
    }

    /// The values as parameters, and null in the places behind them.
    fn places<'a, P: Copy>(&'a self, parameter: impl Fn(&'a T) -> P) -> [Option<P>; FILTER_VALUES_MAX] {
        let mut places = [None; FILTER_VALUES_MAX];
        for (place, value) in places.iter_mut().zip(&self.0) {
            *place = Some(parameter(value));
        }
        places
    }
}

// === impl Filter ===

impl Filter {
    /// The list whose index narrows most.
    fn list(&self) -> NewestFirst {
        let by = [
            (self.id.0.len(), LIST_BY_IDS, LIST_BY_IDS),
            (self.service_session_id.0.len(), LIST_BY_SERVICE_SESSION, LIST_BY_SERVICE_SESSIONS),
            (self.request_id.0.len(), LIST_BY_REQUEST, LIST_BY_REQUESTS),
            (self.reference.0.len(), LIST_BY_REFERENCE, LIST_BY_REFERENCES),
        ];
        let narrowest = by.into_iter().find(|(values, ..)| *values > 0);
        narrowest.map_or(LIST, |(values, of_one, of_several)| if values == 1 { of_one } else { of_several })
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
