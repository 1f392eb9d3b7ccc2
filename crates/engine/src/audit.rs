//! The audit log: each change and its entry are one transaction, what changes nothing is noted beside, and nobody rewrites it unseen.

use domain::audit::{AuditAction, AuditEntry};
use domain::page::{Page, PageRequest};
use domain::{AuditEntryId, MerchantAccountId, Scope};
use store::Tx;
use store::audit_log::{self, InstanceEntries};

use crate::{Caller, Engine, Refusal, Request};

mod checkpoint;
mod checkpoint_file;
mod events;
mod keeper;
mod refused_tokens;
#[cfg(test)]
mod tests;
mod verify;

pub use store::audit_log::Filter;
pub use store::audit_log::journal::{JournalEntry, JournalFilter};

pub use self::checkpoint::Checkpoint;
pub use self::checkpoint_file::{CHECKPOINTS_MAX, CheckpointError, CheckpointFile};
pub use self::events::record_command;
pub(crate) use self::events::{Events, deleted_key_pair};
pub use self::keeper::KeepError;
pub use self::verify::{Finding, Flaw, Sound, Verdict, verify};

/// What was changed.
pub(crate) struct Change<'a> {
    /// The account it belongs to; `None` for what belongs to the instance.
    pub(crate) account: Option<&'a MerchantAccountId>,
    /// What was done.
    pub(crate) action: AuditAction,
    /// The API's `type` of the resource.
    pub(crate) resource_type: &'static str,
    /// Its id.
    pub(crate) resource_id: String,
    /// Its name.
    pub(crate) resource_name: &'a str,
}

/// A page of the changes of an account, and, for a caller that may act everywhere, of the instance. Who reads them is noted.
pub async fn list(
    engine: &Engine,
    caller: &Caller,
    request: &Request,
    scope: &Scope,
    page: &PageRequest,
    filter: &Filter,
) -> Result<Page<AuditEntry>, Refusal> {
    let instance_wide = match caller.accounts() {
        None => InstanceEntries::Included,
        Some(_) => InstanceEntries::Left,
    };
    let mut tx = engine.database.read().await?;
    let found = audit_log::list(&mut tx, scope, instance_wide, page, filter).await?;
    engine.note_audit_read(request, scope.account());
    Ok(found)
}

impl Engine {
    /// Ends a change: audit entry, version, commit; then the snapshot follows.
    pub(crate) async fn commit(&self, tx: Tx, request: &Request, change: Change<'_>) -> Result<(), Refusal> {
        self.commit_with(tx, request, change, "").await
    }

    /// The same with details: a JSON object that the API does not show.
    pub(crate) async fn commit_with(&self, mut tx: Tx, request: &Request, change: Change<'_>, details: &str) -> Result<(), Refusal> {
        let now = self.now();
        let entry = AuditEntry {
            id: AuditEntryId(self.ids.v7(now)),
            merchant_account_id: change.account.cloned(),
            action: change.action,
            resource_type: change.resource_type.to_owned(),
            resource_id: change.resource_id,
            resource_name: change.resource_name.to_owned(),
            actor_id: Some(request.actor.id),
            actor_name: request.actor.name.clone(),
            request_id: request.request_id.clone(),
            origin: request.origin.clone(),
            created_at: now,
        };
        audit_log::append_with(&mut tx, &entry, details).await?;
        let version = tx.bump_version().await?;
        tx.commit().await?;
        self.follow(version).await;
        Ok(())
    }
}
