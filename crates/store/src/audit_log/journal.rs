//! The whole log, events included, for whoever operates the server.

use domain::{ApiKeyPairId, AuditEntryId, Timestamp};
use uuid::Uuid;

use crate::{StoreError, Tx};

/// Deleted key pairs that are remembered for the question whether a token named one of them. The newest ones: a key that was deleted before a thousand others is an unknown one.
const DELETED_KEY_PAIRS_MAX: i64 = 1_000;

macro_rules! columns {
    () => {
        "sequence, id, merchant_account_id, action, resource_type, resource_id, resource_name, actor_id, actor_name, request_id, origin, created_at, details"
    };
}

statements! {
    LIST = concat!(
        "SELECT ", columns!(), " FROM audit_log WHERE sequence < $1 AND (action = $2 OR $2 IS NULL) AND (actor_id = $3 OR $3 IS NULL) ",
        "AND (actor_name = $4 OR $4 IS NULL) AND created_at >= $5 AND created_at <= $6 ORDER BY sequence DESC LIMIT $7"
    );
    EXISTS = "SELECT sequence FROM audit_log WHERE id = $1";
    DELETED_KEY_PAIRS = "SELECT resource_id, resource_name, details FROM audit_log \
                         WHERE action = 'deleted' AND resource_type = 'api-key-pair' ORDER BY sequence DESC LIMIT $1";
}

/// Which entries to list.
#[derive(Clone, Debug)]
pub struct JournalFilter {
    /// Below this number only: where the page before ended.
    pub before: i64,
    /// With this word only, an action or an event.
    pub action: Option<String>,
    /// By this key pair only.
    pub actor_id: Option<ApiKeyPairId>,
    /// By the key pair or program of this name only.
    pub actor_name: Option<String>,
    /// Not before this moment.
    pub since: Timestamp,
    /// Not after this moment.
    pub until: Timestamp,
    /// How many at most.
    pub limit: u32,
}

/// An entry as it is stored. The words are texts: a log that a newer version has written can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Its number: 1 for the first one, without gaps.
    pub sequence: i64,
    /// Its id.
    pub id: AuditEntryId,
    /// The account it is about.
    pub merchant_account_id: Option<String>,
    /// An action or an event.
    pub action: String,
    /// What it happened to.
    pub resource_type: String,
    /// Its id.
    pub resource_id: String,
    /// Its name at that moment.
    pub resource_name: String,
    /// The key pair that did it.
    pub actor_id: Option<ApiKeyPairId>,
    /// The name of that key pair, or of a program.
    pub actor_name: String,
    /// The request or command.
    pub request_id: String,
    /// The address that asked.
    pub origin: String,
    /// When.
    pub created_at: Timestamp,
    /// A JSON object, or nothing.
    pub details: String,
}

/// A key pair that is gone, as its entry tells.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DeletedKeyPair {
    /// Its id.
    #[sqlx(rename = "resource_id")]
    pub id: String,
    /// Its name when it was deleted.
    #[sqlx(rename = "resource_name")]
    pub name: String,
    /// The details of the entry.
    pub details: String,
}

#[derive(sqlx::FromRow)]
struct JournalRow {
    sequence: i64,
    id: Uuid,
    merchant_account_id: Option<String>,
    action: String,
    resource_type: String,
    resource_id: String,
    resource_name: String,
    actor_id: Option<Uuid>,
    actor_name: String,
    request_id: String,
    origin: String,
    created_at: i64,
    details: String,
}

/// Entries, newest first.
pub async fn list(tx: &mut Tx, filter: &JournalFilter) -> Result<Vec<JournalEntry>, StoreError> {
    let rows = run!(
        tx, all JournalRow, LIST,
        filter.before,
        filter.action.as_deref(),
        filter.actor_id.map(|id| id.0),
        filter.actor_name.as_deref(),
        filter.since.micros(),
        filter.until.micros(),
        i64::from(filter.limit),
    )?;
    Ok(rows.into_iter().map(JournalEntry::from).collect())
}

/// Whether an entry was written: a commit that failed may have happened all the same.
pub async fn exists(tx: &mut Tx, id: AuditEntryId) -> Result<bool, StoreError> {
    Ok(run!(tx, optional(i64,), EXISTS, id.0)?.is_some())
}

/// Key pairs that were deleted, the last one first.
pub async fn deleted_key_pairs(tx: &mut Tx) -> Result<Vec<DeletedKeyPair>, StoreError> {
    run!(tx, all DeletedKeyPair, DELETED_KEY_PAIRS, DELETED_KEY_PAIRS_MAX)
}

impl From<JournalRow> for JournalEntry {
    fn from(row: JournalRow) -> Self {
        Self {
            sequence: row.sequence,
            id: AuditEntryId(row.id),
            merchant_account_id: row.merchant_account_id,
            action: row.action,
            resource_type: row.resource_type,
            resource_id: row.resource_id,
            resource_name: row.resource_name,
            actor_id: row.actor_id.map(ApiKeyPairId),
            actor_name: row.actor_name,
            request_id: row.request_id,
            origin: row.origin,
            created_at: Timestamp::from_micros(row.created_at),
            details: row.details,
        }
    }
}
