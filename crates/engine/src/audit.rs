//! The audit log: each change and its entry are one transaction.

use domain::audit::{AuditAction, AuditEntry};
use domain::page::{Page, PageRequest};
use domain::{AuditEntryId, MerchantAccountId, Scope};
use store::Tx;
use store::audit_log::{self, InstanceEntries};

use crate::{Caller, Engine, Refusal, Request};

pub use store::audit_log::Filter;

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

/// A page of the entries of an account, and, for a caller that may act everywhere, of the instance.
pub async fn list(
    engine: &Engine,
    caller: &Caller,
    scope: &Scope,
    page: &PageRequest,
    filter: &Filter,
) -> Result<Page<AuditEntry>, Refusal> {
    let instance_wide = match caller.accounts() {
        None => InstanceEntries::Included,
        Some(_) => InstanceEntries::Left,
    };
    let mut tx = engine.database.read().await?;
    Ok(audit_log::list(&mut tx, scope, instance_wide, page, filter).await?)
}

impl Engine {
    /// Ends a change: audit entry, version, commit; then the snapshot follows.
    pub(crate) async fn commit(&self, mut tx: Tx, request: &Request, change: Change<'_>) -> Result<(), Refusal> {
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
        audit_log::append(&mut tx, &entry).await?;
        let version = tx.bump_version().await?;
        tx.commit().await?;
        self.follow(version).await;
        Ok(())
    }
}
