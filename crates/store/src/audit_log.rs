//! The audit log. Entries are appended in the transaction of the change they describe, and never change.

use domain::audit::{AuditAction, AuditEntry};
use domain::page::{Page, PageRequest, Position};
use domain::{ApiKeyPairId, AuditEntryId, MerchantAccountId, Scope, Timestamp};
use uuid::Uuid;

use crate::row::At;
use crate::{StoreError, Tx};

/// Whether entries of the installation (roles, key pairs, accounts) are listed with those of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceEntries {
    /// They are.
    Included,
    /// They are not.
    Left,
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// With this action only.
    pub action: Option<AuditAction>,
    /// Done by this key pair only.
    pub user_id: Option<ApiKeyPairId>,
    /// About resources of this type only.
    pub resource_type: Option<String>,
}

macro_rules! columns {
    () => {
        "id, merchant_account_id, action, resource_type, resource_id, resource_name, actor_id, actor_name, request_id, origin, created_at"
    };
}

macro_rules! filters {
    () => {
        " AND (action = $5 OR $5 IS NULL) AND (actor_id = $6 OR $6 IS NULL) AND (resource_type = $7 OR $7 IS NULL)"
    };
}

statements! {
    // The row of the installation stays locked until the change commits, so the numbers have no gaps and follow the commits.
    NEXT_SEQUENCE = "UPDATE instance SET audit_sequence = audit_sequence + 1 WHERE id = 1 RETURNING audit_sequence";
    INSERT = concat!("INSERT INTO audit_log (sequence, ", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
    [newest_first] {
        LIST = concat!("SELECT ", columns!(), " FROM audit_log WHERE merchant_account_id = $4", filters!());
        LIST_WITH_INSTANCE =
            concat!("SELECT ", columns!(), " FROM audit_log WHERE (merchant_account_id = $4 OR merchant_account_id IS NULL)", filters!());
    }
}

#[derive(sqlx::FromRow)]
struct EntryRow {
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
}

/// Adds an entry and answers its number: 1 for the first one, without gaps.
pub async fn append(tx: &mut Tx, entry: &AuditEntry) -> Result<i64, StoreError> {
    let (sequence,) = run!(tx, one(i64,), NEXT_SEQUENCE)?;
    run!(
        tx,
        execute,
        INSERT,
        sequence,
        entry.id.0,
        entry.merchant_account_id.as_ref().map(MerchantAccountId::as_str),
        entry.action.as_str(),
        &entry.resource_type,
        &entry.resource_id,
        &entry.resource_name,
        entry.actor_id.map(|id| id.0),
        &entry.actor_name,
        &entry.request_id,
        &entry.origin,
        entry.created_at.micros(),
    )?;
    Ok(sequence)
}

/// Entries newest first.
pub async fn list(
    tx: &mut Tx,
    scope: &Scope,
    instance: InstanceEntries,
    request: &PageRequest,
    filter: &Filter,
) -> Result<Page<AuditEntry>, StoreError> {
    let window = match instance {
        InstanceEntries::Included => LIST_WITH_INSTANCE.window(request)?,
        InstanceEntries::Left => LIST.window(request)?,
    };
    let rows = run!(
        tx, all EntryRow, window.statement,
        window.created_at,
        window.id,
        window.rows,
        scope.account().as_str(),
        filter.action.map(AuditAction::as_str),
        filter.user_id.map(|id| id.0),
        filter.resource_type.as_deref(),
    )?;
    let entries = rows.into_iter().map(AuditEntry::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::from_rows(request, entries, |entry| Position::Moment(entry.created_at.micros(), entry.id.0)))
}

impl TryFrom<EntryRow> for AuditEntry {
    type Error = StoreError;

    fn try_from(row: EntryRow) -> Result<Self, StoreError> {
        let at = At { table: "audit_log", id: &row.id };
        Ok(Self {
            id: AuditEntryId(row.id),
            merchant_account_id: at.maybe("merchant_account_id", row.merchant_account_id, |id| MerchantAccountId::parse(id))?,
            action: at.known("action", AuditAction::parse(&row.action))?,
            resource_type: row.resource_type,
            resource_id: row.resource_id,
            resource_name: row.resource_name,
            actor_id: row.actor_id.map(ApiKeyPairId),
            actor_name: row.actor_name,
            request_id: row.request_id,
            origin: row.origin,
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}
